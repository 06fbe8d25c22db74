"""Where does trajectory balance come nearer to its target than PPO, RLOO, GRPO, RAFT, exact samples? Tuned alike, five seeds, paired.

    python -m experiments.studies.trainers --jobs 2          # goes on where it stopped; some four core-hours
    python -m experiments.studies.trainers --jobs 2 --plain FOLDER           # and of a plain model, some 25 minutes of a core more
    python -m experiments.studies.trainers --only table      # the table of what is there: experiments/results/trainers_to_target.json

Every run draws ``BUDGET`` tokens from the Spanish prior of four layers, those of the auxiliary task included, and is measured on the same
prompts. The commit ``AT`` ships that prior: run it in a clone of that commit. The first ten runs of tuning were in float32.
Rows go to ``experiments/results/trainers_to_target.jsonl``, one a run; a row that is there is not run again.

| stage | what |
| --- | --- |
| tuning | each trainer at ``RATES`` and with what else its grid holds, quatrains, the seeds ``TUNING``. All have the same number of cells |
| quatrains | the best cell of each trainer by its distance from the target, ``SEEDS``; of ``FOUR`` also with the auxiliary task |
| acrostic | ``FOUR``, for quatrains whose lines spell a word: the target keeps few of the prior's poems |
| plain | ``FOUR``, for couplets of a plain model, that writes from left to right, has no marks of rhymes and rhymes at chance |

The plain model is made in ten minutes of a core by ``rlpoet pretrain --lang es --data es.jsonl.gz --max_steps 600 --order forward
--no_plans --min_rhymed 0.7 --seed 0 --threads 1 --precision bf16 --output_dir FOLDER``.

Each process measures log Z of the target on poems of its own, and these measures differ between machines. They move all distances of a
setting by the same amount, so the table and the tests put all rows on their mean.

The primary test is the distance from the target of trajectory balance (segment) and PPO, quatrains, without the task, paired by seed
(Student). All other differences from trajectory balance are tested together (Holm).
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import functools
import itertools
import json
import multiprocessing
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from typing import Any

import numpy as np
import torch
from scipy import stats

from experiments.release.results_page import RESULTS
from policies.loading.adapters import fingerprint
from policies.loading.files import find_model
from rlpoet.config.ranges import made
from rlpoet.evaluation.sampled import PER_PROMPT, Measured, distance, examine, toward, weights_of
from rlpoet.evaluation.second_judge import judged, second_judge
from rlpoet.prosody.ending import end_of
from rlpoet.prosody.forms import form
from rlpoet.text import split_poem
from rlpoet.training.build import authors_of, policy_of, resolve, score_of, trainer_of
from rlpoet.training.config import TrainConfig
from rlpoet.training.prompts import mixed_prompts, openings, with_openings
from rlpoet.training.run import commit
from rlpoet.types import Prompt

ROWS, LANG = RESULTS / "trainers_to_target.jsonl", "es"
PRIOR, AT = "7c697721536a6521", "ab863d4"  # the Spanish prior of four layers, and a commit that ships it
BUDGET, POEMS = 130_000, 512  # tokens that a run draws, some 2,100 quatrains; poems that are measured
SEEDS, TUNING = (0, 1, 2, 3, 4), (100,)
RATES = (2e-4, 5e-4)
BASE: Mapping[str, Any] = {
    "lang": LANG, "minutes": 0, "max_steps": 1, "prompts_per_step": 8, "freeze_layers": 0.75, "threads": 1, "processes": 1,
    "precision": "bf16",
}  # fmt: skip
SEGMENT = {"algo": "tb", "tb": {"preset": "segment"}, "aux_rhyme_weight": 0.0}
EXACT = {"keep": "target", "refresh_steps": 0}
NO_TASK = {"aux_rhyme_weight": 0.0}
ARMS: Mapping[str, tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]] = {  # name: trainer, and what is tuned beside the rate
    "TB, segment": ({"algo": "tb", **NO_TASK}, ({"tb": {"preset": "segment"}}, {"tb": {"preset": "segment", "replay": 0.5}})),
    "TB, textbook": ({"algo": "tb", **NO_TASK}, ({"tb": {"preset": "textbook"}}, {"tb": {"credit": "poem", "log_z": "prior"}})),
    "RLOO": ({"algo": "rloo", **NO_TASK}, ({}, {"clip": 1e9})),
    "GRPO": ({"algo": "grpo", **NO_TASK}, ({}, {"trl": {"scale_rewards": "group"}})),
    "RAFT": ({"algo": "rft", **NO_TASK}, ({}, {"rft": {"keep_share": 0.5}})),
    "exact samples": ({"algo": "rft", **NO_TASK}, ({"rft": EXACT}, {"rft": EXACT, "clip": 1e9})),
    "PPO": (
        {"algo": "ppo", **NO_TASK},
        ({"ppo": {"lam": 1.0}}, {"ppo": {"lam": 0.9, "lam_per": "segment", "critic": "model", "critic_first": 2}}),
    ),
}
TASK = {"aux_rhyme_weight": 2.0}
FOUR = ("TB, segment", "PPO", "RLOO", "exact samples")
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "quatrains": {},
    "acrostic": {
        "rewards": {"rhyme": 1.0, "meter": 1.5, "acrostic": 1.0},
        "reward_options": {"meter": {"licence_credit": 0.5}, "acrostic": {"word": "amor"}},
    },
    "plain": {"forms": ("couplet",)},
}


@dataclasses.dataclass(frozen=True)
class Cell:
    """A run, before it is made."""

    stage: str
    arm: str
    tuned: Mapping[str, Any]
    task: bool
    seed: int

    @property
    def setting(self) -> str:
        return self.stage if self.stage in SETTINGS else "quatrains"

    @property
    def key(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    def config(self, plain: str) -> TrainConfig:
        """Its configuration, with the folder of the plain model."""
        options: dict[str, Any] = {
            **BASE,
            **({"policy": plain} if self.setting == "plain" else {}),
            **SETTINGS[self.setting],
            **ARMS[self.arm][0],
            **self.tuned,
            "seed": self.seed,
        }
        return resolve(made(TrainConfig, {**options, **(TASK if self.task else {})}), spawn=False)


def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()] if ROWS.exists() else []


def tuning() -> Iterator[Cell]:
    for seed in TUNING:
        for arm, (_, extra) in ARMS.items():
            for more in extra:
                for rate in RATES:
                    yield Cell("tuning", arm, {**more, "learning_rate": rate}, False, seed)


def testing(done: Sequence[Mapping[str, Any]], plain: str) -> Iterator[Cell]:
    """The tested runs, seed by seed, so that what is there is always paired; of arms whose tuning is complete."""
    best = {arm: cell for arm in ARMS if (cell := tuned(arm, done)) is not None}
    for seed in SEEDS:
        for stage in SETTINGS:
            for arm, cell in best.items():
                if (stage != "quatrains" and arm not in FOUR) or (stage == "plain" and not plain):
                    continue
                yield Cell(stage, arm, cell, False, seed)
                if stage == "quatrains" and arm in FOUR:
                    yield Cell(stage, arm, cell, True, seed)


def tuned(arm: str, done: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The cell of an arm with the least mean distance on the seeds of tuning; None before all are there."""
    wanted = [cell for cell in tuning() if cell.arm == arm]
    found = {row["key"]: row["figures"]["target_kl"] for row in done}
    if any(cell.key not in found for cell in wanted):
        return None
    by_cell: dict[str, list[float]] = {}
    for cell in wanted:
        by_cell.setdefault(json.dumps(cell.tuned, sort_keys=True), []).append(found[cell.key])
    best: Mapping[str, Any] = json.loads(min(by_cell, key=lambda key: float(np.mean(by_cell[key]))))
    return best


# -- a run ----------------------------------------------------------------------------------------------


@functools.cache  # of a process: the same for all runs of a setting
def measured_prior(setting: str, policy: str) -> tuple[Measured, tuple[Prompt, ...]]:
    """Poems of the prior with their rewards, and the prompts that every policy is measured on."""
    config = resolve(made(TrainConfig, {**BASE, **SETTINGS[setting], "policy": policy, "seed": 7}), spawn=False)
    prior = policy_of(config)
    asked = mixed_prompts(LANG, config.forms, authors_of(config.authors, prior), POEMS // PER_PROMPT, rng=random.Random(7))
    first, _ = examine(prior, prior, asked, POEMS, seed=7)
    return toward(first, score_of(config)(first.prompts, first.texts).total, config.beta), tuple(asked)


def run(cell: Cell, plain: str) -> dict[str, Any]:
    """Train, and measure; the row."""
    torch.set_num_threads(1)
    torch.manual_seed(cell.seed)
    config = cell.config(plain)
    first, asked = measured_prior(cell.setting, config.policy)
    score, prior, policy = score_of(config), policy_of(config), policy_of(config)
    policy.allow_identical_rhyme = config.allow_identical_rhyme
    authors = authors_of(config.authors, policy)
    rng = random.Random(cell.seed)
    lines = openings([prompt for prompt in asked for _ in range(PER_PROMPT)], first.texts)
    prompts = with_openings(list(dict.fromkeys(mixed_prompts(LANG, config.forms, authors, 4096, rng=rng))), lines, config.openings, rng=rng)
    trainer = trainer_of(config, policy, score, prompts)
    began = time.process_time()
    while trainer.n_tokens is not None and trainer.n_tokens < BUDGET:
        trainer.step(trainer.n_tokens / BUDGET)
    seconds = time.process_time() - began
    last, _ = examine(policy, prior, asked, POEMS, seed=8, weigh=True)
    last = toward(last, score(last.prompts, last.texts).total, config.beta, prior=first)
    return {
        **dataclasses.asdict(cell), "key": cell.key, "commit": commit(), "updates": trainer.n_steps, "poems": trainer.n_fresh,
        "tokens": trainer.n_tokens, "cpu_seconds": round(seconds, 1), "figures": figures(first, last), "prior": figures(first, first),
    }  # fmt: skip


def figures(first: Measured, last: Measured) -> dict[str, float]:
    """Of a policy's poems, beside the prior's."""
    away, weights = distance(first, last), weights_of(first)
    assert away is not None and weights is not None and last.rewards is not None and last.beta is not None
    judge = second_judge(LANG)
    assert judge is not None
    heard = [judged(judge, form(prompt.form, LANG), split_poem(text)) for prompt, text in zip(last.prompts, last.texts, strict=True)]
    names = ("rhyme_pairs", "credited_pairs", "lines_in_meter", "perfect_stanzas", "distinct_end_words", "rhyme_sound_entropy")
    return {
        "target_kl": round(away.value, 4), "standard_error": round(away.deviation, 4),
        "from_prior": round(float(last.log_ratio.mean()), 4) if last.log_ratio is not None and last is not first else 0.0,
        "reward": round(float(last.rewards.mean()), 4), "perfect": round(float((last.rewards > 0.999).mean()), 4),
        **{name: round(last.figures[name], 4) for name in names}, "coverage": round(coverage(first, last), 4),
        "second_judge_pairs": round(sum(pairs for pairs, _ in heard) / (2 * len(heard)), 4), "acceptance": round(weights.acceptance, 5),
    }  # fmt: skip


def coverage(first: Measured, last: Measured) -> float:
    """Of the end words of exact samples of the target, by rejection from the prior's poems, those that the policy's poems hold."""
    assert first.rewards is not None and first.beta is not None
    kept = np.random.default_rng(0).random(len(first.rewards)) < np.exp(first.beta * (first.rewards - 1))
    wanted = Counter(word for text, keep in zip(first.texts, kept, strict=True) if keep for word in _ends(text))
    held = {word for text in last.texts for word in _ends(text)}
    return sum(n for word, n in wanted.items() if word in held) / max(1, wanted.total())


def _ends(text: str) -> list[str]:
    return [end_of(line, LANG).word for line in split_poem(text)]


# -- the table ------------------------------------------------------------------------------------------


def on_one_log_z(done: Sequence[Mapping[str, Any]], beta: float) -> list[dict[str, Any]]:
    """The tested rows, with distances from the target by the mean of the measures of log Z of their setting.

    Args:
        done: rows of the file.
        beta: inverse temperature of the target. The prior's distance is ``log Z - beta`` times its mean reward, which gives a row's log Z.

    Returns:
        Copies; a measure that several rows share counts once.
    """
    measures: dict[str, set[float]] = {}
    tested = [row for row in done if row["stage"] in SETTINGS]
    for row in tested:
        measures.setdefault(row["stage"], set()).add(_log_z(row, beta))
    found = []
    for row in tested:
        shift = float(np.mean(sorted(measures[row["stage"]]))) - _log_z(row, beta)
        moved = {name: {**row[name], "target_kl": row[name]["target_kl"] + shift} for name in ("figures", "prior")}
        found.append({**row, **moved})
    return found


def _log_z(row: Mapping[str, Any], beta: float) -> float:
    return round(row["prior"]["target_kl"] + beta * row["prior"]["reward"], 3)


COLUMNS = {
    "nats from the target": ("target_kl", 1, 2), "nats from the prior": ("from_prior", 1, 2),
    "perfect by the reward, %": ("perfect", 100, 1), "pairs, %": ("rhyme_pairs", 100, 1), "pairs that earn, %": ("credited_pairs", 100, 1),
    "second judge's pairs, %": ("second_judge_pairs", 100, 1), "end words": ("distinct_end_words", 1, 3),
    "sounds, nats": ("rhyme_sound_entropy", 1, 2), "target's words held, %": ("coverage", 100, 1),
}  # fmt: skip


def table(done: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of the tested runs that are there."""
    lines: list[list[Any]] = []
    done = on_one_log_z(done, TrainConfig().beta)
    for stage in SETTINGS:
        tested = [row for row in done if row["stage"] == stage]
        if not tested:
            continue
        before = [dict(one) for one in dict.fromkeys(tuple(sorted(row["prior"].items())) for row in tested)]  # one for each machine
        means = [round(times * float(np.mean([one[name] for one in before])), digits) for name, times, digits in COLUMNS.values()]
        lines.append([f"{stage}: prior", None, *means, None])
        for arm in ARMS:
            for task in (False, True):
                own = [row for row in tested if row["arm"] == arm and row["task"] == task]
                if own:
                    cells = [_cell([times * row["figures"][name] for row in own], digits) for name, times, digits in COLUMNS.values()]
                    seconds = round(float(np.mean([row["cpu_seconds"] for row in own])))
                    name = f"{stage}: {arm}, with the task" if task else f"{stage}: {arm}"
                    lines.append([name, _spelt(own[0]["tuned"]), *cells, seconds])
    return {
        "title": "Trainers and their target", "question": "Which trainer comes nearest to the target that all share?",
        "says": "", "limits": "",
        "command": "python -m experiments.studies.trainers", "commit": ", ".join(sorted({row["commit"] for row in done})),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "seeds": sorted({row["seed"] for row in done if row["stage"] in SETTINGS}),
        "columns": ["run", "tuned", *COLUMNS, "CPU-seconds"], "rows": lines, "notes": _tests(done),
    }  # fmt: skip


def _tests(done: Sequence[Mapping[str, Any]]) -> list[str]:
    """Differences from trajectory balance without the task, in nats from the target, paired by seed: the primary one, and all others."""
    by_run: dict[tuple[str, str, bool], dict[int, float]] = {}
    for row in done:
        if row["stage"] in SETTINGS:
            by_run.setdefault((row["stage"], row["arm"], row["task"]), {})[row["seed"]] = row["figures"]["target_kl"]
    found: list[tuple[str, float, float, float]] = []
    for (stage, arm, task), own in by_run.items():
        balance = by_run.get((stage, "TB, segment", False), {})
        gaps = [own[seed] - balance[seed] for seed in sorted(own) if seed in balance]
        if own is not balance and len(gaps) > 1:
            reach = float(stats.t.ppf(0.975, len(gaps) - 1)) * float(np.std(gaps, ddof=1)) / len(gaps) ** 0.5
            name = f"{stage}: {arm}, with the task" if task else f"{stage}: {arm}"
            found.append((name, float(np.mean(gaps)), reach, float(stats.ttest_1samp(gaps, 0).pvalue)))
    primary = [line for line in found if line[0] == "quatrains: PPO"]
    others = sorted((line for line in found if line not in primary), key=lambda line: line[3])
    least, corrected = 0.0, []
    for n, (*line, p) in enumerate(others):
        least = max(least, min(1.0, (len(others) - n) * p))
        corrected.append((*line, least))
    told = [f"{name} {mean:+.2f} ({mean - reach:.2f} to {mean + reach:.2f}), p {p:.3f}" for name, mean, reach, p in corrected]
    first = [
        f"Primary, {name} less TB: {mean:+.2f} ({mean - reach:.2f} to {mean + reach:.2f}), p {p:.3f}." for name, mean, reach, p in primary
    ]
    return [*first, *([f"Less TB, Holm over all of these: {'; '.join(told)}."] if told else [])]


def _cell(values: Sequence[float], digits: int) -> dict[str, Any]:
    return {"mean": round(float(np.mean(values)), digits), "seeds": [round(value, digits) for value in values]}


def _spelt(cell: Mapping[str, Any]) -> str:
    flat = {**cell, **{name: value for table in cell.values() if isinstance(table, Mapping) for name, value in table.items()}}
    told = {name: value for name, value in sorted(flat.items()) if not isinstance(value, Mapping)}
    free = told.pop("clip", 0.0) > 1e6  # gradients are cut nowhere
    return ", ".join([*(f"{name} {value}" for name, value in told.items()), *(["no clipping"] if free else [])])


# -- the command ----------------------------------------------------------------------------------------


def todo(plain: str) -> list[Cell]:
    done = rows()
    have = {row["key"] for row in done}
    return [cell for cell in (*tuning(), *testing(done, plain)) if cell.key not in have]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side, one thread each")
    parser.add_argument("--hours", type=float, default=0.0, help="begin no run after so many hours; 0 for no limit")
    parser.add_argument("--plain", default="", help="folder of the plain model; without it, its runs are left out")
    parser.add_argument("--only", choices=["table"], help="the table of what is there")
    args = parser.parse_args(argv)
    if args.only != "table":
        if (found := fingerprint(find_model(LANG))) != PRIOR:
            parser.error(f"the prior {LANG!r} is {found}, the rows are of {PRIOR}: go on in a clone at {AT}, and copy the rows back")
        _all(args.jobs, 3600 * args.hours, args.plain)
    done = rows()
    if any(row["stage"] in SETTINGS for row in done):
        path = RESULTS / "trainers_to_target.json"
        said = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}  # sentences are written by hand, and checked again
        found = table(done) | {key: said.get(key, "") for key in ("says", "limits")}
        path.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


def _all(jobs: int, seconds: float, plain: str) -> None:
    """Processes that take one run after another; a row is written when its run ends, so that a stop loses the runs in hand and no other."""
    began = time.monotonic()

    def over() -> bool:
        return seconds > 0 and time.monotonic() - began > seconds

    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        while (waiting := todo(plain)) and not over():
            queue = iter(waiting)
            running = {pool.submit(run, cell, plain) for cell in itertools.islice(queue, jobs)}
            while running:
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    row = future.result()
                    with ROWS.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row, ensure_ascii=False) + "\n")
                    sys.stderr.write(f"{row['key']}: {row['figures']}\n")
                if not over():
                    running |= {pool.submit(run, cell, plain) for cell in itertools.islice(queue, len(ended))}


if __name__ == "__main__":
    sys.exit(main())
