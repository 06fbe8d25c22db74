"""The script that trains the priors: two stages of one budget, in order, and what was stopped goes on."""

from __future__ import annotations

import pytest

from experiments.release.priors import command
from rlpoet.checkpoints.files import write_checkpoint
from rlpoet.cli.verbs.pretrain import COMMAND
from rlpoet.config.parser import parse
from rlpoet.errors import RlpoetError


def config(words):
    assert words[0] == "pretrain"
    return parse(COMMAND, words[1:])


def test_two_stages_share_a_budget_and_the_second_goes_on_from_the_first_without_prose(tmp_path):
    for name in ("es.jsonl.gz", "es_more.jsonl.gz", "prose_es.jsonl.gz"):
        (tmp_path / name).touch()
    out = tmp_path / "out"
    first, second = (config(command(tmp_path, out, "es", stage, minutes=10.0, steps=1000, on_gpu=True)) for stage in ("prose", "verse"))
    assert first.prose and not second.prose and second.start == first.output_dir
    assert first.max_steps + second.max_steps == 1000 and first.minutes + second.minutes == pytest.approx(10)
    assert first.batch_tokens == second.batch_tokens == 65536 and [len(c.data) for c in (first, second)] == [2, 2]


def test_a_stopped_stage_goes_on_and_a_language_without_verse_is_refused(tmp_path):
    (tmp_path / "es-prose").mkdir()
    write_checkpoint(tmp_path / "es-prose" / "checkpoint.pt", {})
    words = command(tmp_path, tmp_path, "es", "prose", minutes=1.0, steps=0, on_gpu=False)
    assert words == ["pretrain", "--resume", str(tmp_path / "es-prose")]
    with pytest.raises(RlpoetError, match=r"no fr\.jsonl\.gz"):
        command(tmp_path, tmp_path, "fr", "prose", minutes=1.0, steps=0, on_gpu=False)
