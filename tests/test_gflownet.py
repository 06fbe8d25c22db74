"""The loop: it learns, it can stop anywhere, and its buffer keeps what it should."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from tiny_policy import BAUDELAIRE, tiny_policy

from rlpoet.errors import RlpoetError
from rlpoet.gflownet import TBOptions, TBTrainer
from rlpoet.replay import Replay
from rlpoet.rollout import join
from rlpoet.types import Prompt

PROMPTS = [Prompt("fr", "couplet"), Prompt("fr", "couplet", "Paul Verlaine")]


@dataclass(frozen=True)
class Scored:
    total: tuple[float, ...]
    parts: dict[str, tuple[float, ...]]


class Plain:
    """A reward any random model can raise: the share of plain letters, line by line."""

    def __call__(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> Scored:
        scores = tuple(sum(self.by_line(prompt, text)) for prompt, text in zip(prompts, texts, strict=True))
        return Scored(scores, {"plain": scores})

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        lines = text.split("\n")
        return [sum(c.isascii() and c.isalpha() for c in line) / max(len(line), 1) / len(lines) for line in lines]


plain = Plain()


def trainer(**options: Any) -> TBTrainer:
    policy = tiny_policy()
    return TBTrainer(
        policy,
        plain,
        PROMPTS,
        TBOptions(**{"prompts_per_step": 2, "group_size": 8, "learning_rate": 3e-3, "warmup": 1, "replay": 0.5, **options}),
        seed=0,
    )


@pytest.mark.parametrize("credit", ["line", "poem"])
def test_training_raises_the_reward(credit):
    run = trainer(beta=60.0, beta_warmup=1, credit=credit, freeze_embeddings=False)
    seen = [run.step(0.0)[0] for _ in range(30)]
    first, last = (sum(m["reward/mean"] for m in part) / 5 for part in (seen[:5], seen[-5:]))
    assert last > first + 0.05
    assert seen[-1]["time/fresh_samples"] == 30 * 16


def test_a_resumed_run_is_the_uninterrupted_one(tmp_path):
    whole = trainer()
    for _ in range(2):
        whole.step(0.0)
    whole.save(tmp_path / "checkpoint.pt")
    expected = [whole.step(0.1)[0] for _ in range(2)]
    again = trainer()
    again.load(tmp_path / "checkpoint.pt")
    found = [again.step(0.1)[0] for _ in range(2)]
    for want, got in zip(expected, found, strict=True):
        assert {k: v for k, v in got.items() if not k.startswith("time/")} == pytest.approx(
            {k: v for k, v in want.items() if not k.startswith("time/")}, abs=1e-6
        )


def test_a_damaged_checkpoint_says_so(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"half a file")
    with pytest.raises(RlpoetError, match=r"checkpoint.pt: broken checkpoint"):
        trainer().load(tmp_path / "checkpoint.pt")


def test_the_prior_stays_where_it_was():
    run = trainer()
    before = [p.clone() for p in run.prior.model.parameters()]
    run.step(0.0)
    assert all(torch.equal(a, b) for a, b in zip(before, run.prior.model.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(before, run.policy.model.parameters(), strict=True))


def test_one_text_a_prompt_is_refused():
    with pytest.raises(RlpoetError, match="group_size: 1"):
        TBTrainer(tiny_policy(), plain, PROMPTS, TBOptions(group_size=1), seed=0)


def test_the_buffer_keeps_the_best_and_no_two_with_the_same_line_ends():
    policy = tiny_policy()
    prompt = Prompt("fr", "quatrain-abab")
    text = "\n".join(BAUDELAIRE)
    variants = [text.replace("Souvent", word) for word in ("Parfois", "Toujours", "Jamais")]
    others = ["\n".join(BAUDELAIRE[k:] + BAUDELAIRE[:k]) for k in (1, 2, 3)]
    batch = policy.write([prompt] * 6, [*variants, *others])
    replay = Replay(per_prompt=2)
    replay.add(batch, [0.2, 0.9, 0.5, 0.1, 0.3, 0.8], [-1.0] * 6)
    assert sorted(kept.score for kept in replay.draw(prompt, 9, random.Random(0))) == [0.8, 0.9]
    again = Replay.restore(replay.state(), per_prompt=2)
    assert [k.rollout.texts for k in again.draw(prompt, 9, random.Random(0))] == [
        k.rollout.texts for k in replay.draw(prompt, 9, random.Random(0))
    ]


def test_batches_of_different_widths_join_without_changing_a_row():
    policy = tiny_policy()
    a, b = policy.sample(PROMPTS[:1], 2, max_new_tokens=5), policy.sample(PROMPTS[1:], 2, max_new_tokens=25)
    both = join([a, b], pad=policy.pad)
    with torch.no_grad():
        apart = torch.cat([policy.log_prob(a).sum(1), policy.log_prob(b).sum(1)])
        assert torch.allclose(policy.log_prob(both).sum(1), apart, atol=1e-3)
    assert both.rows([0, 1]).texts == a.texts
