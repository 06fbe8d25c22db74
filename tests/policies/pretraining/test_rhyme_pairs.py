"""Lessons are made of the training poems' own end words, in pairs that rhyme and are two words."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
import torch
from tiny_policy import BAUDELAIRE, VERLAINE, tiny_policy

from policies.causal_lm import CausalPolicy
from policies.formats.data import Annotated, choose_format, unplanned
from policies.formats.tokenizer import train_tokenizer
from policies.formats.verse import END, FILE, RHYME_PAIRS, VerseFormat
from policies.pretraining.config import PretrainConfig
from policies.pretraining.rhyme_pairs import end_words, rhyme_pair_pieces, rhyme_rows
from policies.pretraining.run import pretrain_run
from policies.pretraining.vocabulary import teach_marks
from rlpoet.errors import RlpoetError
from rlpoet.prosody.annotate import annotate

POEMS = [Annotated("Charles Baudelaire", tuple(annotate([BAUDELAIRE], "fr")))] * 2
FORMAT = choose_format(POEMS, "fr", rhyme_pairs=True)
PAIR = re.compile(r"<[|]([A-P])[|]>(<[|]~[^|]+[|]>)([^<]+)<[|]([a-p])[|]>(<[|]~[^|]+[|]>)([^<]+)")


def test_every_word_is_filed_under_the_sound_it_has_in_its_poem() -> None:
    found = end_words(POEMS, FORMAT)
    assert {frozenset(words) for words in found.values()} == {frozenset({"équipage", "voyage,"}), frozenset({"mers,", "amers."})}
    assert all(n == 2 for words in found.values() for n in words.values())


def test_a_lesson_is_pairs_of_two_words_of_one_sound() -> None:
    made = rhyme_rows(POEMS, FORMAT, n=20, seed=1)
    assert len(made) == 20
    for header, body in made:
        assert header == RHYME_PAIRS and body.endswith(END)
        pairs = PAIR.findall(body)
        assert "".join(f"<|{A}|>{key}{w}<|{a}|>{again}{v}" for A, key, w, a, again, v in pairs) + END == body
        for opening, key, first, answering, again, second in pairs:
            assert opening.lower() == answering and key == again and first != second
    assert made == rhyme_rows(POEMS, FORMAT, n=20, seed=1) != rhyme_rows(POEMS, FORMAT, n=20, seed=2)


def test_a_corpus_without_a_rhyme_has_no_lesson() -> None:
    lone = [Annotated(None, tuple(annotate([("Un seul vers",)], "fr")))]
    assert rhyme_rows(lone, choose_format(lone, "fr", rhyme_pairs=True), n=5, seed=0) == []


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_rhyme_rows_are_the_share_that_was_asked_for(share: float) -> None:
    tokenizer = train_tokenizer([FORMAT.write_line(line, "") for line in BAUDELAIRE], FORMAT.marks, kind="bpe", size=400)
    pieces = rhyme_pair_pieces(POEMS, FORMAT, tokenizer, share=share, n_tokens=50_000, seed=0)
    n = sum(len(piece.header) + len(piece.body) for row in pieces for piece in row)
    assert n / (n + 50_000) == pytest.approx(share, abs=0.01)
    assert {piece.header for row in pieces for piece in row} == {(tokenizer.convert_tokens_to_ids(RHYME_PAIRS),)}


def test_a_policy_reads_rhyme_pairs_when_it_goes_on_and_never_writes_the_mark(tmp_path: Path) -> None:
    tiny_policy().save(str(tmp_path / "plain"))
    poems = tmp_path / "poems.txt"
    poems.write_text("\n\n\n".join(["\n".join(BAUDELAIRE), "\n".join(VERLAINE)] * 3), encoding="utf-8")
    config = PretrainConfig(
        lang="fr", data=(str(poems),), output_dir=str(tmp_path / "taught"), start=str(tmp_path / "plain"), rhyme_pairs_share=0.3,
        max_steps=2,
        batch_tokens=64, window=64, eval_samples=1, threads=1, compile=False, validation=0.0, save_steps=5,
    )  # fmt: skip
    assert pretrain_run(config) == 0
    taught = CausalPolicy.load(tmp_path / "taught")
    assert taught.format.rhyme_pairs and RHYME_PAIRS in taught.format.marks  # type: ignore[union-attr]
    assert int(taught.tokenizer.convert_tokens_to_ids(RHYME_PAIRS)) in taught.codec.marks


def test_the_key_of_an_earlier_format_file_is_read(tmp_path: Path) -> None:
    FORMAT.save(tmp_path)
    item = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))
    assert item.pop("rhyme_pairs") is True and "school" not in item
    (tmp_path / FILE).write_text(json.dumps({**item, "school": True}), encoding="utf-8")
    assert VerseFormat.load(tmp_path) == FORMAT


@pytest.mark.parametrize("wrong", [{"rhyme_pairs_share": 1.0}, {"rhyme_pairs_share": -0.1}, {"rhyme_pairs_share": 0.2, "plans": False}])
def test_what_cannot_be_taught_is_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    config = PretrainConfig(lang="fr", data=("poems.txt",), output_dir=str(tmp_path), max_steps=1, **wrong)  # type: ignore[arg-type]
    with pytest.raises(RlpoetError, match="--rhyme_pairs_share"):
        pretrain_run(config)


def test_a_rhyme_that_shared_a_mark_gets_its_own_and_begins_as_it_was() -> None:
    policy = tiny_policy()
    old = policy.format
    shared = next(key for key in old.keys if key.startswith("a"))
    own = f"w{shared}"
    lines = Annotated(None, (dataclasses.replace(POEMS[0].groups[0], keys=(own,) * 4),))
    assert unplanned([lines] * 3, old) == (own,) and unplanned([lines] * 2, old) == ()  # twelve lines, and eight
    assert unplanned(POEMS * 9, old) == ()
    new = dataclasses.replace(old, keys=(*old.keys, own))
    ids, rows = policy.tokenizer.convert_tokens_to_ids, policy.model.get_input_embeddings().weight
    before = rows[ids(old.plan(own))].clone()
    teach_marks(policy.model, policy.tokenizer, old, new)
    rows = policy.model.get_input_embeddings().weight
    assert old.plan(own) == f"<|~{shared}|>" != new.plan(own) and torch.equal(rows[ids(new.plan(own))], before)
