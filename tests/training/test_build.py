"""What a run is made of: numbers that are chosen for it, and what cannot be meant."""

from __future__ import annotations

import pytest

from rlpoet.errors import RlpoetError
from rlpoet.training.build import check, settled, with_rate
from rlpoet.training.config import TrainConfig


def test_how_many_processes_pay():
    four = TrainConfig(threads=4)
    assert settled(four).processes == 4 and settled(TrainConfig(threads=1)).processes == 1
    assert settled(TrainConfig(threads=4, prompts_per_step=12)).processes == 2
    for alone in ({"max_steps": 3}, {"algo": "ppo"}, {"replay": 0.5}, {"objective": "fl"}, {"explore": ("rhyme",)}):
        assert settled(TrainConfig(threads=4, **alone)).processes == 1
    assert settled(TrainConfig(threads=4, algo="ppo", processes=3)).processes == 3  # asked for: refused below, not mended


@pytest.mark.parametrize("wrong", [{"algo": "ppo"}, {"replay": 0.5}, {"explore": ("rhyme",)}, {"prompts_per_step": 1}, {"objective": "fl"}])
def test_what_cannot_be_shared_is_refused(wrong):
    with pytest.raises(RlpoetError, match=r"--processes 2: .*expected"):
        check(TrainConfig(processes=2, **wrong))


def test_a_trainer_has_a_rate_of_its_own_unless_one_is_asked_for():
    assert with_rate(TrainConfig(algo="ppo")).learning_rate == 3e-4 and with_rate(TrainConfig(algo="rloo")).learning_rate == 6e-4
    assert with_rate(TrainConfig(algo="ppo", learning_rate=1e-3)).learning_rate == 1e-3
