"""Judges that are models: exact against a naive loop, the same in any company, and clear about what they cannot read."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest
import torch
from tiny_policy import BAUDELAIRE, VERLAINE, tiny_policy
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from policies import judges
from policies.judges import CausalJudge, SentenceEncoder, line_judge
from rlpoet.analysis.coherence import theme_model
from rlpoet.errors import RlpoetError

POEMS = [VERLAINE, BAUDELAIRE, ("Ombre",), BAUDELAIRE[:2]]


def tokenizer_of(split: str, words: list[str]) -> PreTrainedTokenizerFast:
    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split("", "isolated") if split == "letters" else pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", pad_token="<pad>", unk_token="<unk>")


@pytest.fixture(scope="module")
def causal(tmp_path_factory):
    """A folder with a small random model of letters."""
    folder = tmp_path_factory.mktemp("causal")
    letters = ["<unk>", "<s>", "<pad>", *sorted(set("\n".join("\n".join(poem) for poem in POEMS)))]
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=len(letters), n_positions=256, n_embd=16, n_layer=2, n_head=2))
    model.save_pretrained(folder)
    tokenizer_of("letters", letters).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A folder with a small random sentence encoder."""
    folder = tmp_path_factory.mktemp("encoder")
    words = ["<unk>", "<s>", "<pad>", *sorted({word for poem in POEMS for line in poem for word in line.split()})]
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, max_position_embeddings=64
    )
    BertModel(config).save_pretrained(folder)
    tokenizer_of("words", words).save_pretrained(folder)
    return folder


def test_nats_are_those_of_a_naive_loop_line_by_line(causal):
    judge = CausalJudge.open(str(causal))
    for lines, found in zip(POEMS, judge.line_nats(POEMS), strict=True):
        ids, expected = [judge.tokenizer.bos_token_id], [0.0] * len(lines)
        for number, line in enumerate(lines):
            for letter in line + ("\n" if number < len(lines) - 1 else ""):
                with torch.no_grad():
                    logits = judge.model(input_ids=torch.tensor([ids])).logits[0, -1].double()
                token = judge.tokenizer.convert_tokens_to_ids(letter)
                expected[number] -= float(logits.log_softmax(-1)[token])
                ids.append(token)
        assert found == pytest.approx(expected, rel=1e-4)


def test_a_poem_weighs_the_same_alone_and_in_company(causal, monkeypatch):
    judge = CausalJudge.open(str(causal))
    together = judge.line_nats(POEMS)
    monkeypatch.setattr(judges, "LOGITS", 1)  # one poem a pass
    for own, alone in zip(together, judge.line_nats(POEMS), strict=True):
        assert own == pytest.approx(alone, rel=1e-4)
    assert judge.line_nats([()]) == [[0.0]] and judge.line_nats([]) == []


def test_a_model_that_knows_nothing_pays_its_whole_vocabulary(causal):
    judge = CausalJudge.open(str(causal))
    with torch.no_grad():
        for parameter in judge.model.parameters():
            parameter.zero_()
    (nats,) = judge.line_nats([VERLAINE])
    breaks = [1] * (len(VERLAINE) - 1) + [0]
    size = judge.model.config.vocab_size
    assert nats == pytest.approx([(len(line) + more) * math.log(size) for line, more in zip(VERLAINE, breaks, strict=True)], rel=1e-5)


def test_what_a_model_cannot_read_is_refused(causal, tmp_path):
    with pytest.raises(RlpoetError, match="tokens; expected at most 256"):
        CausalJudge.open(str(causal)).line_nats([BAUDELAIRE * 4])
    tiny_policy().save(tmp_path)
    with pytest.raises(RlpoetError, match=r"a policy of rlpoet; expected a language model from elsewhere"):
        CausalJudge.open(str(tmp_path))


def test_a_line_is_the_mean_of_its_tokens_with_length_one(encoder):
    own = SentenceEncoder.open(encoder)
    lines = [line for poem in POEMS for line in poem]
    found = own.embed(lines)
    for line, vector in zip(lines, found, strict=True):
        with torch.no_grad():
            hidden = own.model(**own.tokenizer(line, return_tensors="pt")).last_hidden_state[0].double()
        expected = hidden.mean(0).numpy()
        assert vector == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)
    assert own.embed([]).shape[0] == 0


def test_the_first_token_stands_for_the_line_where_the_folder_says_so(encoder, tmp_path):
    for path in encoder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "1_Pooling").mkdir()
    pooling = tmp_path / "1_Pooling" / "config.json"
    pooling.write_text(json.dumps({"pooling_mode_cls_token": True}), encoding="utf-8")
    first = SentenceEncoder.open(tmp_path)
    with torch.no_grad():
        hidden = first.model(**first.tokenizer(VERLAINE[0], return_tensors="pt")).last_hidden_state[0, 0].double().numpy()
    assert first.embed([VERLAINE[0]])[0] == pytest.approx(hidden / np.linalg.norm(hidden), abs=1e-5)
    pooling.write_text("[", encoding="utf-8")
    with pytest.raises(RlpoetError, match=r"config\.json: broken"):
        SentenceEncoder.open(tmp_path)


def test_a_judge_of_lines_is_found_by_its_name(encoder, tmp_path, monkeypatch):
    assert line_judge("theme", "fr").name == "theme" and line_judge("theme", "fr").model is theme_model("fr")
    assert line_judge(str(encoder), "fr").name == encoder.name
    theme_model("fr").save(tmp_path / "mine.npz")
    assert line_judge(str(tmp_path / "mine.npz"), "fr").name == "mine.npz"
    monkeypatch.setattr(judges, "PACKAGES", {"minilm": "no_such_minilm", "e5": "no_such_e5"})
    assert line_judge("auto", "en").name == "theme"
    with pytest.raises(RlpoetError, match="the package no-such-e5 is not installed"):
        line_judge("e5", "fr")
    with pytest.raises(RlpoetError, match=r"--line_judge nowhere: no config\.json there; expected auto, minilm"):
        line_judge("nowhere", "fr")


def test_auto_takes_a_package_that_is_here(encoder, tmp_path, monkeypatch):
    (tmp_path / "an_encoder.py").write_text(f"def get_model_path():\n    return {str(encoder)!r}\n", encoding="utf-8")
    (tmp_path / "an_e5.py").write_text("def query(lines):\n    return [[float(len(line)), 0.0] for line in lines]\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(judges, "PACKAGES", {"minilm": "an_encoder", "e5": "an_e5"})
    assert line_judge("auto", "en").name == "minilm" and line_judge("auto", "fr").name == "e5"
    assert line_judge("e5", "fr").coherence([("ab", "abc")]) == [6.0]
    for name in ("an_encoder", "an_e5"):
        sys.modules.pop(name, None)
