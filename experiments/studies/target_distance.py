"""How far the shipped policies are from the target of their training, beside exact samples of it.

    python -m experiments.studies.target_distance --langs fr es en            # writes experiments/results/target.json
    python -m experiments.studies.target_distance --langs es --bias

256 prompts as ``rlpoet train`` measures them (abab and abba, the policy's commonest authors and none), four poems each, temperature 1, in
fp32: of the prior, then of the policy. The target's row is what exact rejection keeps of the prior's poems. Sounds and words are counted in
``IN_DRAWS`` poems at a time, the mean of twenty draws, because both figures depend on the number of poems.

``--bias`` draws ``N_BIAS`` poems of the prior for each prompt and says how far log Z lies from its value per prompt, estimated from four
poems of each of 64 prompts: by prompt, and together by form. ``rlpoet.evaluation.target`` says why they differ.
"""

from __future__ import annotations

import argparse
import datetime
import json
import random
import statistics
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from experiments.release.results_page import RESULTS
from rlpoet.analysis.intervals import Redrawn, number_bounds
from rlpoet.evaluation.form import PoemFacts, figures_of
from rlpoet.evaluation.sampled import PER_PROMPT, Measured, distance, examine, toward, weights_of
from rlpoet.rollout import Rollout, join, load_policy
from rlpoet.training.build import authors_of
from rlpoet.training.config import TrainConfig
from rlpoet.training.prompts import mixed_prompts
from rlpoet.training.rewards import composed
from rlpoet.training.run import commit
from rlpoet.types import Prompt

N_PROMPTS, IN_DRAWS, N_DRAWS, N_BIAS = 256, 320, 20, 120
COLUMNS = (
    "model", "nats from the target", "standard error", "nats from the prior", "prior's poems accepted", "pairs that rhyme",
    "pairs that earn", "lines", "perfect", "end words", "entropy of sounds, nats",
)  # fmt: skip


def prompts_of(lang: str, n: int, seed: int) -> list[Prompt]:
    """As a run of the defaults measures."""
    config = TrainConfig(lang=lang)
    return mixed_prompts(lang, config.forms, authors_of((), load_policy(lang)), n, rng=random.Random(seed))


def rewards_of(measured: Measured | Rollout) -> list[float | None]:
    """By the reward of a run of the defaults."""
    config = TrainConfig()
    score = composed(config.rewards, config.reward_options, compose=config.compose)
    return list(score(measured.prompts, measured.texts).total)


def variety(facts: Sequence[PoemFacts]) -> tuple[float, float]:
    """Distinct end words, and entropy of rhyme sounds, of ``IN_DRAWS`` poems at a time."""
    rng = random.Random(0)
    draws = [figures_of(rng.sample(list(facts), min(IN_DRAWS, len(facts)))) for _ in range(N_DRAWS)]
    words, sounds = (statistics.mean(draw[name] for draw in draws) for name in ("distinct_end_words", "rhyme_sound_entropy"))
    return words, sounds


def row(name: str, measured: Measured, away: Redrawn | None, from_prior: float, accepted: float | None) -> list[Any]:
    """A row of the table."""
    figures = figures_of(measured.facts)
    shares = [round(100 * figures[key], 1) for key in ("rhyme_pairs", "credited_pairs", "lines_in_meter", "perfect_stanzas")]
    bounds = None if away is None else number_bounds(away)
    kl: Any = 0 if away is None or bounds is None else {"mean": round(away.value, 2), "interval": [round(bound, 2) for bound in bounds]}
    words, sounds = variety(measured.facts)
    return [
        name, kl, None if away is None else round(away.deviation, 2), round(from_prior, 2),
        None if accepted is None else round(100 * accepted, 1), *shares, round(words, 3), round(sounds, 2),
    ]  # fmt: skip


def measured_rows(lang: str, policies: Sequence[str], *, seed: int) -> list[list[Any]]:
    """The prior, its policies and the target, measured on the same prompts."""
    beta, asked = TrainConfig().beta, prompts_of(lang, N_PROMPTS, seed)
    n = len(asked) * PER_PROMPT
    prior = load_policy(lang, seed=seed)
    first, _ = examine(prior, prior, asked, n, seed=seed)
    first = toward(first, rewards_of(first), beta)
    weights = weights_of(first)
    assert weights is not None and first.rewards is not None
    rows = [row(f"{lang}, prior", first, distance(first, first), 0.0, weights.acceptance)]
    for name in policies:
        last, _ = examine(load_policy(name, seed=seed), prior, asked, n, seed=seed + 1, weigh=True)
        last = toward(last, rewards_of(last), beta, prior=first)
        assert last.log_ratio is not None
        rows.append(row(name, last, distance(first, last), float(last.log_ratio.mean()), None))
        sys.stderr.write(f"{rows[-1]}\n")
    keep = np.flatnonzero(np.random.default_rng(seed).random(n) < np.exp(beta * (first.rewards - 1)))
    kept = Measured({}, (), (), tuple(first.facts[i] for i in keep))
    weight = np.exp(beta * (first.rewards - 1))
    from_prior = beta * float(np.average(first.rewards, weights=weight)) - weights.log_z
    rows.append(row(f"{lang}, target", kept, None, from_prior, None))
    sys.stderr.write(f"{rows[0]}\n{rows[-1]}\nlog Z {weights.log_z:.3f}, ESS {weights.ess:.0f} of {n}\n")
    return rows


def bias(lang: str, *, seed: int) -> dict[str, float]:
    """Of log Z, from four poems of 64 prompts, over random sets of them."""
    beta = TrainConfig().beta
    prior = load_policy(lang, seed=seed)
    every = list(dict.fromkeys(prompts_of(lang, 4096, seed)))
    prior.precision = torch.float32
    drawn = join([prior.sample([prompt], N_BIAS) for prompt in every], pad=prior.pad)
    rewards = np.array([reward or 0.0 for reward in rewards_of(drawn)])
    weight = np.exp(beta * (rewards - 1)).reshape(len(every), -1)
    exact = np.log(weight.mean(1))
    n = weight.shape[1]
    own = (weight.var(1, ddof=1) / weight.mean(1) ** 2 / n).mean()  # of log Z of a prompt, by chance
    form = np.array([p.form for p in every])
    rng, found = np.random.default_rng(seed), []
    for _ in range(2000):
        chosen = rng.permutation(np.resize(np.arange(len(every)), 64))
        four = np.stack([weight[p, rng.integers(n, size=PER_PROMPT)] for p in chosen])
        together = np.array([np.log(four[form[chosen] == f].mean()) for f in form[chosen]])
        found.append((np.log(four.mean(1)).mean() - exact[chosen].mean(), together.mean() - exact[chosen].mean()))
    by_prompt, by_form = np.array(found).mean(0)
    return {
        "prompts": len(every), "poems_of_a_prompt": n, "acceptance": float(weight.mean()), "log_z": float(exact.mean()) + beta,
        "deviation_between_prompts": float(np.sqrt(max(exact.var(ddof=1) - own, 0.0))), "deviation_by_chance": float(np.sqrt(own)),
        "bias_of_four_by_prompt": float(by_prompt), "bias_together_by_form": float(by_form),
        "deviation_together": float(np.array(found)[:, 1].std()),
    }  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--langs", nargs="+", default=["fr", "es", "en"])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--bias", action="store_true", help="measure the bias of log Z instead, and print it")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    if args.bias:
        for lang in args.langs:
            sys.stdout.write(json.dumps({"lang": lang, **bias(lang, seed=args.seed)}) + "\n")
        return 0
    rows = [line for lang in args.langs for line in measured_rows(lang, [f"{lang}-tb"], seed=args.seed)]
    path = RESULTS / "target.json"
    said = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}  # sentences are written by hand, and checked again
    table = {
        "title": "Distance from the target",
        "question": "How far are the shipped models from the target of their training, `p0 exp(30 reward)`?",
        **{key: said.get(key, "") for key in ("says", "limits")},
        "command": f"python -m experiments.studies.target_distance --langs {' '.join(args.langs)}",
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "seeds": [args.seed],
        "columns": COLUMNS,
        "rows": rows,
        "brackets": "95 % over prompts",
        "notes": [
            f"{N_PROMPTS} prompts, abab and abba, the policy's commonest authors and none, four poems each, temperature 1, fp32.",
            "The target's row: what exact rejection keeps of the prior's poems. Its distance from the prior is that of the weighted poems.",
            f"End words and sounds: of {IN_DRAWS} poems at a time, the mean of {N_DRAWS} draws.",
            "Pairs that earn: both words stand in the lexicon, end no other line and rhyme with no line of another letter.",
        ],
    }
    path.write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
