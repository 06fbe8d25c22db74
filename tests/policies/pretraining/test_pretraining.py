"""Pretraining's own parts: a policy that grows, and the reading by hand that it learns from."""

from __future__ import annotations

import pytest
import torch
from tiny_policy import tiny_policy
from torch.nn import functional as F

from policies.formats import data
from policies.formats.data import IGNORED
from policies.formats.tokenizer import train_tokenizer
from policies.pretraining.model import grown, nats_of
from policies.pretraining.vocabulary import learn_pieces, padded
from rlpoet.corpus import Poem
from rlpoet.errors import RlpoetError


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_a_policy_that_has_grown_says_what_it_said(layers: int) -> None:
    model = tiny_policy().model
    larger = grown(model, layers)
    ids = torch.randint(10, 300, (3, 20), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(larger(input_ids=ids).logits, model(input_ids=ids).logits)
    assert larger.config.num_hidden_layers == 2 + layers == len(larger.model.layers)
    assert larger.lm_head.weight is larger.model.embed_tokens.weight


def test_what_has_grown_learns() -> None:
    larger = grown(tiny_policy().model, 2)
    ids = torch.randint(10, 300, (3, 20), generator=torch.Generator().manual_seed(0))
    nats_of(larger, ids, ids, dtype=torch.float32).backward()
    silent = [layer for layer in larger.model.layers if not layer.mlp.down_proj.weight.any()]
    assert len(silent) == 2
    for layer in silent:
        for weight in (layer.mlp.down_proj.weight, layer.self_attn.o_proj.weight):
            assert weight.grad is not None and weight.grad.any()


def test_a_policy_at_most_doubles() -> None:
    with pytest.raises(RlpoetError, match="--grow 3: the policy has 2 layers"):
        grown(tiny_policy().model, 3)


def test_what_is_read_by_hand_is_the_cross_entropy_of_the_labels() -> None:
    model = tiny_policy().model
    ids = torch.randint(10, 300, (3, 20), generator=torch.Generator().manual_seed(0))
    labels = ids.clone()
    labels[1, 7:] = IGNORED
    told = nats_of(model, ids, labels, dtype=torch.float32)
    told.backward()
    gradient = model.model.layers[0].mlp.up_proj.weight.grad.clone()
    model.zero_grad()
    logits = model(input_ids=ids).logits
    meant = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED, reduction="sum")
    meant.backward()
    expected = model.model.layers[0].mlp.up_proj.weight.grad
    assert told.item() == pytest.approx(meant.item(), rel=0.01)  # bfloat16
    assert torch.cosine_similarity(gradient.flatten(), expected.flatten(), dim=0) > 0.99


def test_more_pieces_say_of_old_words_what_their_old_pieces_said() -> None:
    policy = tiny_policy()
    lines = ["Les aubergines mûres"] * 30
    new = train_tokenizer(lines, policy.format.marks, size=140)
    old, before = policy.tokenizer, policy.model.get_input_embeddings().weight.detach().clone()
    assert "▁aubergines" in new.get_vocab() and "▁aubergines" not in old.get_vocab()
    learn_pieces(policy.model, old, new)
    rows = policy.model.get_input_embeddings().weight
    assert policy.model.lm_head.weight is rows and len(rows) == padded(len(new)) == policy.model.config.vocab_size
    parts = old.convert_tokens_to_ids(old.tokenize("aubergines"))
    assert len(parts) > 1 and torch.allclose(rows[new.get_vocab()["▁aubergines"]], before[parts].mean(0))
    for kept in (*policy.format.marks, "<0x41>", "s"):
        assert torch.equal(rows[new.convert_tokens_to_ids(kept)], before[old.convert_tokens_to_ids(kept)])
    assert policy.model.config.eos_token_id == new.eos_token_id and torch.isfinite(policy.model(torch.arange(len(new))[None]).logits).all()


@pytest.mark.slow
def test_two_processes_hear_what_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    poems = [Poem(((f"la noche {n}", "el mar y la luz", "un coche", "la cruz"),), "Nadie") for n in range(9)]
    alone = data.annotate_all(poems, "es")
    monkeypatch.setattr(data, "PART", 2)
    monkeypatch.setattr(data, "LEAST_PARTS", 2)
    ticks: list[int] = []
    assert data.annotate_all(poems, "es", processes=2, tick=ticks.append) == alone and ticks == [2, 4, 6, 8, 9]
    assert alone[3].groups[0].scheme == "xaxa"
