"""The script that trains the priors: one run a language, and what was prepared or stopped goes on."""

from __future__ import annotations

import pytest

from experiments.release.priors import command
from policies.pretraining.prepared import FILE
from rlpoet.checkpoints.files import write_checkpoint
from rlpoet.cli.verbs.pretrain import COMMAND
from rlpoet.config.parser import parse
from rlpoet.errors import RlpoetError

BUDGET = {"minutes": 10.0, "steps": 1000, "batch": 65536}


def config(words):
    assert words[0] == "pretrain"
    return parse(COMMAND, words[1:])


def test_a_run_reads_all_verse_of_its_language_and_prose_for_the_first_part_of_its_budget(tmp_path):
    for name in ("es.jsonl.gz", "es_more.jsonl.gz", "prose_es.jsonl.gz", "fr.jsonl.gz"):
        (tmp_path / name).touch()
    es = config(command(tmp_path, tmp_path / "out", "es", **BUDGET, prepare=True))
    assert [path.rsplit("/", 1)[1] for path in es.data] == ["es.jsonl.gz", "es_more.jsonl.gz"] and es.prepare
    assert es.prose == (str(tmp_path / "prose_es.jsonl.gz"),) and 0 < es.prose_until < 1
    assert (es.minutes, es.max_steps, es.batch_tokens) == (10.0, 1000, 65536)
    fr = config(command(tmp_path, tmp_path / "out", "fr", **BUDGET))
    assert not fr.prose and not fr.prepare and len(fr.data) == 1


def test_what_was_stopped_or_prepared_goes_on_without_corpora(tmp_path):
    (tmp_path / "es").mkdir()
    write_checkpoint(tmp_path / "es" / "checkpoint.pt", {})
    (tmp_path / "fr").mkdir()
    (tmp_path / "fr" / FILE).touch()
    for lang in ("es", "fr"):
        assert command(None, tmp_path, lang, **BUDGET) == ["pretrain", "--resume", str(tmp_path / lang)]
    with pytest.raises(RlpoetError, match="nothing prepared"):
        command(None, tmp_path, "en", **BUDGET)


def test_a_language_without_verse_is_refused(tmp_path):
    with pytest.raises(RlpoetError, match=r"no fr\.jsonl\.gz"):
        command(tmp_path, tmp_path / "out", "fr", **BUDGET)
