"""Pretraining's own parts: a policy that grows, and the reading by hand that it learns from."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import torch
from tiny_policy import tiny_policy
from torch.nn import functional as F

from policies.formats import data, parts
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
    monkeypatch.setattr(parts, "PART", 2)
    monkeypatch.setattr(parts, "LEAST_PARTS", 2)
    ticks: list[int] = []
    assert data.annotate_all(poems, "es", processes=2, tick=ticks.append) == alone and ticks == [2, 4, 6, 8, 9]
    assert alone[3].groups[0].scheme == "abab"  # figures are silent
    policy = tiny_policy(countdown=2)
    encoded = data.encode(alone, policy.format, policy.tokenizer)
    ticks.clear()
    assert data.encode_all(alone, policy.format, policy.tokenizer, processes=2, tick=ticks.append) == encoded and ticks == [2, 4, 6, 8, 9]


def test_a_caller_that_has_enough_leaves_off_and_no_part_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART", 3)
    taken: list[int] = []

    def items() -> Iterator[int]:
        for n in range(20):
            taken.append(n)
            yield n

    shared = parts.in_parts(sorted, items(), processes=1)
    assert next(shared) == [0, 1, 2] and len(taken) <= 6
    assert [n for part in shared for n in part] == list(range(3, 20))
    assert list(parts.in_parts(sorted, [], processes=2)) == []


SHARED = """
import os, sys, time
from policies.formats import parts

def work(items):
    with open(sys.argv[1], "a") as file:
        file.write(f"{os.getpid()}\\n")
    time.sleep(300)
    return items

if __name__ == "__main__":
    parts.PART, parts.LEAST_PARTS = 1, 2
    list(parts.in_parts(work, range(9), processes=2))
"""


@pytest.mark.slow
def test_workers_end_with_a_process_that_is_killed(tmp_path: Path) -> None:
    script, told = tmp_path / "shared.py", tmp_path / "told"
    script.write_text(SHARED, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, script, told], env=environment, stderr=subprocess.DEVNULL) as parent:
        until(lambda: told.exists() and len(told.read_text().split()) == 2)
        parent.kill()
    workers = [int(number) for number in told.read_text().split()]
    until(lambda: not any(psutil.pid_exists(worker) for worker in workers))


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)
