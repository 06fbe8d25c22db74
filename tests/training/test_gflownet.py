"""The loop: it learns, it can stop anywhere, and its buffer keeps what it should."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from tiny_plain import gpt2, plain_tokenizer, save_plain
from tiny_policy import BAUDELAIRE, tiny_policy
from trainers import make

from policies.causal_lm import CausalPolicy
from rlpoet.errors import RlpoetError
from rlpoet.rollout import Rollout, join
from rlpoet.training.gflownet.exploration import RhymeIndex, proposed_rhymes, read_stanzas, weakest_lines
from rlpoet.training.gflownet.flows import at_end, line_gains, lines_of, read_states
from rlpoet.training.gflownet.replay import Replay
from rlpoet.training.gflownet.trainer import TBTrainer
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

    def by_part(self, prompt: Prompt, text: str) -> tuple[list[float], list[float]]:
        gains = self.by_line(prompt, text)
        return [0.0] * len(gains), gains


plain = Plain()


def trainer(**options: Any) -> TBTrainer:
    usual = {"prompts_per_step": 2, "group_size": 8, "learning_rate": 3e-3, "warmup": 0.0, "replay": 0.5}
    return make(TBTrainer, tiny_policy(), plain, PROMPTS, **{**usual, **options})


@pytest.mark.slow
def test_training_raises_the_reward():
    """Of a real policy; where each kind of credit and each objective settles is held in ``test_fixed_points``."""
    run = trainer(beta=60.0, beta_warmup=0.0, freeze_embeddings=False, group_size=16, learning_rate=5e-3)
    seen = [run.step(0.0)[0] for _ in range(50)]  # over three seeds the rise is .045 to .10
    first, last = (sum(m["reward/mean"] for m in part) / 5 for part in (seen[:5], seen[-5:]))
    assert last > first + 0.03
    assert seen[-1]["time/fresh_samples"] == 50 * 32


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
        make(TBTrainer, tiny_policy(), plain, PROMPTS, group_size=1)


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


# -- objectives with flows ----------------------------------------------------------------------


def test_a_resumed_run_with_flows_is_the_uninterrupted_one(tmp_path):
    options = {"objective": "fl", "log_z": "learned", "explore": ("hot", "resample")}
    whole = trainer(**options)
    whole.step(0.0)
    whole.save(tmp_path / "checkpoint.pt")
    again = trainer(**options)
    again.load(tmp_path / "checkpoint.pt")
    want, got = whole.step(0.1)[0], again.step(0.1)[0]
    assert {k: v for k, v in got.items() if not k.startswith("time/")} == pytest.approx(
        {k: v for k, v in want.items() if not k.startswith("time/")}, abs=1e-6
    )


def test_forward_looking_gains_sum_to_the_score_and_leave_lines_that_are_not_there_alone():
    policy = tiny_policy()
    prompts = [Prompt("fr", "quatrain-abab"), Prompt("fr", "quatrain-abab", None, BAUDELAIRE[:1])]
    batch = policy.write(prompts, ["\n".join(BAUDELAIRE)] * 2)
    line_of, last, nodes = lines_of(batch)
    assert last.tolist() == [4, 3] and nodes.shape == (2, 4)
    assert all(set(line_of[row][batch.chosen[row]].tolist()) == set(range(n)) for row, n in enumerate((4, 3)))
    gains = line_gains([[0.1, 0.2, 0.3, 0.4]] * 2, [1.0, 1.0], prompts, last, 4)
    assert torch.allclose(gains, torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.3, 0.3, 0.4, 0.0]]))  # the opening's is the first line's
    assert at_end([0.5, 1.0], last, 4).tolist() == [[0, 0, 0, 0.5], [0, 0, 1.0, 0]]


def test_flows_read_the_prior_before_a_line_is_written():
    """The state at a node knows nothing of the lines after it."""
    policy = tiny_policy()
    prompt = Prompt("fr", "quatrain-abab")
    texts = ["\n".join(BAUDELAIRE), "\n".join([*BAUDELAIRE[:2], BAUDELAIRE[0], BAUDELAIRE[1]])]
    batch = policy.write([prompt] * 2, texts)
    _, _, nodes = lines_of(batch)
    log_p, states = read_states(policy, batch, nodes)
    assert torch.allclose(log_p, policy.log_prob(batch).detach())
    apart = (states[0] - states[1]).abs().amax(1)
    assert (apart[:3] < 1e-5).all() and apart[3] > 1e-3


def test_flows_read_any_hugging_face_model(tmp_path):
    tokens = plain_tokenizer()
    policy = CausalPolicy.load(save_plain(tmp_path, gpt2(tokens), tokens), lang="fr", seed=0)
    asked = [Prompt("fr", "couplet"), Prompt("fr", "quatrain-abab")]  # of different lengths in one batch
    run = make(TBTrainer, policy, plain, asked, prompts_per_step=2, group_size=4, objective="fl", replay=0.5, warmup=0.0)
    for _ in range(2):
        metrics = run.step(0.0)[0]
    assert math.isfinite(metrics["gfn/loss"]) and metrics["train/grad_norm"] > 0


# -- exploration --------------------------------------------------------------------------------


class Scripted:
    """A policy that goes on with given lines, in turn; weights and tokens are those of a true one."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.true, self.lines = tiny_policy(), lines
        self.asked: list[Prompt] = []

    def sample(self, prompts: Sequence[Prompt], n: int = 1, **decoding: Any) -> Rollout:
        rows = [(prompt, self.lines[i % len(self.lines)]) for prompt in prompts for i in range(n)]
        self.asked += prompts
        return self.true.write([p for p, _ in rows], ["\n".join([*p.opening, line]) for p, line in rows])

    def write(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> Rollout:
        return self.true.write(prompts, texts)


def test_exploration_is_off_by_default_and_each_switch_adds_texts_that_count(tmp_path):
    stanzas = tmp_path / "stanzas.txt"
    stanzas.write_text("\n\n".join(["\n".join(BAUDELAIRE[:2]), "\n".join(BAUDELAIRE)]), encoding="utf-8")
    assert trainer().step(0.0)[0]["explore/texts"] == 0
    for kind, drawn in (("hot", 4), ("human", 0)):
        run = trainer(explore=(kind,), explore_file=str(stanzas) if kind == "human" else None)
        metrics, fresh, _ = run.step(0.0)
        assert metrics["explore/texts"] > 0 and len(fresh) == 16
        assert metrics["time/fresh_samples"] == 16 + drawn


def test_an_explored_text_counts_by_the_policys_own_log_probability(monkeypatch):
    """Off-policy correct: what drew a text plays no part, only what the current policy and the prior think of it."""
    run = trainer(explore=("hot",), explore_temperature=2.0, credit="poem", replay=0.0)
    seen = {}

    def spy(batch, targets, weigh):
        seen.update(batch=batch, targets=targets)
        return original(batch, targets, weigh)

    original = run._weigh
    monkeypatch.setattr(run, "_weigh", spy)
    _, fresh, _ = run.step(0.0)
    batch, targets = seen["batch"], seen["targets"]
    with torch.no_grad():
        prior = run.prior.log_prob(batch).sum(1)
    scores = torch.tensor(plain(batch.prompts, batch.texts).total)
    assert len(batch) > len(fresh) and torch.allclose(targets.log_reward, prior + targets.beta * scores, atol=1e-3)


def test_resampling_changes_the_weakest_line_and_keeps_the_best():
    prompt = Prompt("fr", "quatrain-abab")
    policy = Scripted(["Trois", "Monotone et sans fin", "Deux mots"])
    fresh = policy.write([prompt] * 3, ["\n".join(BAUDELAIRE)] * 2 + ["\n".join(BAUDELAIRE[:3])])
    by_line = [[0.3, 0.0, 0.1, 0.2], [0.3, 0.3, 0.2, 0.2], [0.0] * 3]  # one to mend, one perfect, one of another form
    mended, n_lines = weakest_lines(
        policy, fresh, [0.6, 1.0, 0.0], by_line, lambda prompts, texts: [len(text) / 1000 for text in texts], n=2, tries=3
    )
    assert policy.asked == [Prompt("fr", "quatrain-abab", None, BAUDELAIRE[:1])] and n_lines == 3
    assert mended is not None and mended.prompts == (prompt,)
    assert mended.texts == ("\n".join([BAUDELAIRE[0], "Monotone et sans fin", *BAUDELAIRE[2:]]),)
    assert weakest_lines(policy, fresh, [1.0, 1.0, 0.0], by_line, lambda p, t: [], n=2, tries=3) == (None, 0)


def test_the_rhyme_book_answers_by_sound_and_leaves_out_guesses_and_the_word_itself():
    book = RhymeIndex()
    prompt = Prompt("fr", "quatrain-abab")
    book.hear([prompt] * 2, ["Dans l'ombre,\nle nombre !\nle xqzzombre\nla mer", "sombre\nl'ombre"])
    assert book.rhymes_with("Une ombre", "fr") == ["nombre !", "sombre"]
    again = RhymeIndex()
    again.restore(book.state())
    assert again.rhymes_with("Une ombre", "fr") == book.rhymes_with("Une ombre", "fr")


def test_a_proposed_rhyme_mends_the_line_that_misses_it():
    lines = ["Une ombre", "Les mers", "Le voyage", "amers"]  # the third of abab misses the first
    prompt = Prompt("fr", "quatrain-abab")
    policy = Scripted([])
    fresh = policy.write([prompt] * 2, ["\n".join(lines), "\n".join([lines[0], lines[1], "Le nombre", lines[3]])])
    book = RhymeIndex()
    book.hear(fresh.prompts[:1], ["sombre\nnombre"])
    asked = []

    def lines_ending(prompts: Sequence[Prompt], words: Sequence[str]) -> list[str]:
        asked.extend(zip(prompts, words, strict=True))
        return ["Le long chemin " + word for word in words]

    policy.lines_ending = lines_ending
    rhymed, n_lines = proposed_rhymes(policy, policy.true, fresh, [0.5, 1.0], book, n=2, rng=random.Random(0))
    ((opening, word),) = asked
    assert opening.opening == tuple(lines[:2]) and word in {"sombre", "nombre"} and n_lines == 1
    assert rhymed is not None and rhymed.texts == ("\n".join([*lines[:2], f"Le long chemin {word}", lines[3]]),)
    del policy.lines_ending  # a policy that cannot begin with the end of a line
    assert proposed_rhymes(policy, policy.true, fresh, [0.5, 1.0], book, n=2, rng=random.Random(0)) == (None, 0)


def test_a_line_written_from_its_end_ends_so_and_goes_on_from_the_lines_before():
    policy = tiny_policy()
    prompt = Prompt("fr", "quatrain-abab", None, BAUDELAIRE[:1])
    lines = policy.lines_ending([prompt] * 200, ["voyage,"] * 200)
    written = [line for line in lines if line]
    assert written and all("voyage," in line.split()[-1] for line in written)  # an untrained policy may join a piece to the word


def test_human_stanzas_come_by_form_from_a_file(tmp_path):
    path = tmp_path / "stanzas.txt"
    path.write_text("\n\n".join(["\n".join(BAUDELAIRE), "\n".join(BAUDELAIRE[:2])]), encoding="utf-8")
    stanzas_by_form = read_stanzas(path, ["couplet", "quatrain-abab", "sonnet"], "fr")
    assert stanzas_by_form == {"couplet": ["\n".join(BAUDELAIRE[:2])], "quatrain-abab": ["\n".join(BAUDELAIRE)], "sonnet": []}
    with pytest.raises(RlpoetError, match=r"2 stanzas, none with the lines of sonnet"):
        read_stanzas(path, ["sonnet"], "fr")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"log_z": "learned"}, "Set --tb.credit poem"),
        ({"objective": "db"}, "objective"),
        ({"explore": ("beam",)}, "explore"),
        ({"explore": ("human",)}, "Set --tb.explore_file"),
        ({"decay": 0.0}, "decay: 0.0"),
    ],
)
def test_options_that_cannot_go_together_are_refused(options, message):
    with pytest.raises(RlpoetError, match=message):
        trainer(**options)
