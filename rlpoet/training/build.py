"""What a training run is made of, from its configuration: policy, reward, trainer, worker processes; and what cannot be meant."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

import torch
from rich.console import Console

from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.evaluation.sampled import PER_PROMPT
from rlpoet.languages import find
from rlpoet.machine import AUTO, PRECISIONS, free_threads
from rlpoet.prosody.forms import form
from rlpoet.protocols import Scored, Scorer
from rlpoet.rollout import Policy, Rollout, TakesAdapter, load_policy
from rlpoet.training.baselines.build import BASELINES, baseline_of, check_baseline
from rlpoet.training.budget import MINUTES, MOST_PROMPTS, UPDATES
from rlpoet.training.common import freeze_lower_layers
from rlpoet.training.config import TrainConfig
from rlpoet.training.distributed.pool import WorkerPool
from rlpoet.training.gflownet.credit import CREDITS
from rlpoet.training.gflownet.exploration import StanzasByForm, read_stanzas
from rlpoet.training.gflownet.options import TBOptions, check_options
from rlpoet.training.gflownet.trainer import TBTrainer
from rlpoet.training.ppo.trainer import PPOOptions, PPOTrainer
from rlpoet.training.rewards import composed
from rlpoet.training.schedule import check_warmup
from rlpoet.types import Prompt

ALGOS = ("tb", "ppo", *BASELINES)
N_AUTHORS = 20  # of the policy's commonest, and as many prompts without an author
RATES = {"ppo": 3e-4}  # peak rates; two updates a step: at 6e-4 more end words are lost for the same poems (experiments/RESULTS.md)
RATE = 6e-4  # of the other trainers
FEW_STEPS = 10  # a worker takes some ten seconds to begin


class Trainer(Protocol):
    """State of a run that can be stepped, saved and taken up again."""

    score: Scorer
    n_steps: int
    n_fresh: int
    seconds: float

    def step(self, progress: float) -> tuple[dict[str, float], Rollout, Scored]: ...
    def save(self, path: Path) -> None: ...
    def load(self, path: Path) -> None: ...


def score_of(config: TrainConfig) -> Scorer:
    """The composed reward."""
    score: Scorer = composed(
        config.rewards, config.reward_options, compose=config.compose, gates=config.gates, curriculum=config.curriculum
    )  # fmt: skip
    return score


def policy_of(config: TrainConfig) -> Policy:
    """The policy to train, as it was before.

    Raises:
        RlpoetError: it writes another language.
    """
    policy = load_policy(config.policy or config.lang, seed=config.seed, lang=config.lang, policy_class=config.policy_class)
    if policy.lang != config.lang:
        raise RlpoetError(f"--policy {config.policy}: writes {policy.lang!r}; expected {config.lang!r}. Set --lang {policy.lang}.")
    policy.precision = PRECISIONS.get(config.precision, torch.float32)  # a run settles what "auto" is (``rlpoet.training.run``)
    if config.lora:
        if not isinstance(policy, TakesAdapter):
            raise RlpoetError(f"--lora {config.lora}: {type(policy).__name__} takes no adapter; expected a policy that has adapt(lora).")
        policy.adapt(config.lora, seed=config.seed)
    elif config.freeze_layers:
        freeze_lower_layers(policy.model, config.freeze_layers)
    return policy


def workers_of(config: TrainConfig, cores: int, out: Console) -> AbstractContextManager[WorkerPool | None]:
    """The processes beside this one that share its steps."""
    if config.processes < 2:
        return nullcontext()
    threads = max(1, cores // config.processes)
    return WorkerPool(functools.partial(worker_trainer, config), config.processes - 1, threads=threads, tell=out.print)


def worker_trainer(config: TrainConfig) -> TBTrainer:
    """The trainer of a worker process: as the run's own, without prompts, which come with each task."""
    policy = policy_of(config)
    policy.allow_identical_rhyme = config.allow_identical_rhyme
    return TBTrainer(policy, score_of(config), (), balance_options(config), seed=config.seed, human=stanzas_of(config))


def with_rate(config: TrainConfig) -> TrainConfig:
    """With the trainer's own learning rate where none was asked for."""
    return config if config.learning_rate else dataclasses.replace(config, learning_rate=RATES.get(config.algo, RATE))


def with_budget(config: TrainConfig) -> TrainConfig:
    """With both budgets as numbers: the defaults where neither is given, else 0, no limit, for the one left out."""
    if config.minutes is None and config.max_steps is None:
        return dataclasses.replace(config, minutes=MINUTES, max_steps=UPDATES)
    return dataclasses.replace(config, minutes=config.minutes or 0.0, max_steps=config.max_steps or 0)


def settled(config: TrainConfig) -> TrainConfig:
    """With ``processes`` 0 the number that pays: one a free core, but none for less than six prompts, nor for runs of a few steps."""
    if config.processes or config.resume is not None:
        return config
    few = 0 < (config.max_steps or 0) < FEW_STEPS
    n = 1 if few or unshared(config) else min(config.threads or free_threads(), (config.prompts_per_step or MOST_PROMPTS) // 6)
    return dataclasses.replace(config, processes=max(1, n))


def unshared(config: TrainConfig) -> str:
    """What in a configuration keeps its steps from being shared; nothing if they can be."""
    if config.algo != "tb":
        return f"--algo {config.algo}"
    if config.objective != "tb" or config.log_z != "vargrad":
        return "learned flows"
    if config.replay:
        return f"--replay {config.replay}"
    return "--explore rhyme" if "rhyme" in config.explore else ""


def trainer_of(
    config: TrainConfig,
    policy: Policy,
    score: Scorer,
    prompts: Sequence[Prompt],
    eval_prompts: Sequence[Prompt],
    workers: WorkerPool | None = None,
) -> Trainer:
    """The trainer asked for, with those settings of the run that are its own."""
    if config.algo in BASELINES:
        places = [prompt for prompt in eval_prompts for _ in range(PER_PROMPT)][: config.eval_samples]
        return baseline_of(config, policy, score, prompts, places)
    if config.algo == "ppo":
        options = PPOOptions(
            prompts_per_step=config.prompts_per_step or MOST_PROMPTS, group_size=config.group_size, beta=config.beta,
            beta_warmup=config.beta_warmup,
            kl_target=config.kl_target, learning_rate=config.learning_rate, value_rate=config.value_rate, epochs=config.epochs,
            value_epochs=config.value_epochs, minibatches=config.minibatches, cliprange=config.cliprange,
            cliprange_value=config.cliprange_value, lam=config.lam,
            entropy_bonus=config.entropy_bonus, whiten=config.whiten, freeze_embeddings=config.freeze_embeddings, credit=config.credit,
        )  # fmt: skip
        return PPOTrainer(policy, score, prompts, options, seed=config.seed)
    human = stanzas_of(config)
    return TBTrainer(policy, score, prompts, balance_options(config), seed=config.seed, human=human, workers=workers)


def balance_options(config: TrainConfig) -> TBOptions:
    """The settings of trajectory balance in a configuration."""
    return TBOptions(
        prompts_per_step=config.prompts_per_step or MOST_PROMPTS, group_size=config.group_size, beta=config.beta,
        beta_warmup=config.beta_warmup,
        learning_rate=config.learning_rate, replay=config.replay,
        freeze_embeddings=config.freeze_embeddings, credit=config.credit, cross_segment_credit=config.cross_segment_credit,
        token_prob_exponent=config.token_prob_exponent, plan_token_weight=config.plan_token_weight,
        rhyme_word_weight=config.rhyme_word_weight, localize_meter_errors=config.localize_meter_errors,
        aux_rhyme_weight=config.aux_rhyme_weight, aux_sampler=config.aux_sampler,
        objective=config.objective, log_z=config.log_z, decay=config.decay, explore=config.explore,
        explore_share=config.explore_share, explore_temperature=config.explore_temperature, tries=config.tries,
    )  # fmt: skip


def stanzas_of(config: TrainConfig) -> StanzasByForm | None:
    """Other people's stanzas to learn from, by form; None without a file."""
    return None if config.explore_file is None else read_stanzas(config.explore_file, config.forms, config.lang)


def check(config: TrainConfig) -> None:
    """Refuse what would fail later.

    Raises:
        RlpoetError, UnknownName: a field that cannot be meant.
    """
    asked = find(config.lang)
    if asked.variety:
        code, variety = asked.language.code, asked.variety
        raise RlpoetError(
            f"--lang {config.lang}: a variety of {code!r}; expected a language. Set --lang {code} --reward_options.rhyme.variety {variety}."
        )
    for name in config.forms:
        form(name, config.lang)
    if not config.forms:
        raise RlpoetError("--forms: none given; expected at least one, such as quatrain-abab.")
    if config.algo not in ALGOS:
        raise UnknownName("algo", config.algo, ALGOS)
    if config.credit not in CREDITS:
        raise UnknownName("credit", config.credit, CREDITS)
    if config.precision not in (AUTO, *PRECISIONS):
        raise UnknownName("precision", config.precision, (AUTO, *PRECISIONS))
    if not config.minutes and not config.max_steps and (config.minutes, config.max_steps) != (None, None):
        raise RlpoetError("--minutes: no budget; expected --minutes 8 or --max_steps 200.")
    numbers = ("minutes", "max_steps", "beta", "learning_rate", "replay", "threads", "processes")
    for name in (*numbers, "value_rate", "kl_target", "cliprange", "cliprange_value", "entropy_bonus"):
        if getattr(config, name) is not None and not getattr(config, name) >= 0:
            raise RlpoetError(f"--{name}: {getattr(config, name)}; expected 0 or more.")
    for name in ("eval_samples", "prompts_per_step", "save_steps", "logging_steps", "epochs", "value_epochs", "minibatches"):
        if getattr(config, name) is not None and getattr(config, name) < 1:
            raise RlpoetError(f"--{name}: {getattr(config, name)}; expected 1 or more.")
    if not 0 <= config.lam <= 1:
        raise RlpoetError(f"--lam: {config.lam}; expected a number in [0, 1].")
    if not 0 <= config.freeze_layers < 1:
        raise RlpoetError(f"--freeze_layers: {config.freeze_layers}; expected a share of the layers in [0, 1).")
    if not 0 <= config.interpolate < 1:
        raise RlpoetError(f"--interpolate: {config.interpolate}; expected a share of the prior in [0, 1).")
    if config.lora and config.interpolate:
        raise RlpoetError(f"--interpolate {config.interpolate}: with --lora, whose weights are factors; expected --interpolate 0.")
    if not 0 < config.eval_top_p <= 1:
        raise RlpoetError(f"--eval_top_p: {config.eval_top_p}; expected a share in (0, 1].")
    if not 0 <= config.openings < 1:
        raise RlpoetError(f"--openings: {config.openings}; expected a share in [0, 1).")
    if config.curriculum and config.replay:
        raise RlpoetError(f"--curriculum: with --replay {config.replay}, whose scores are of other weights; expected --replay 0.")
    check_warmup(beta_warmup=config.beta_warmup)
    check_baseline(config)
    if config.processes > 1 and (why := unshared(config)):
        raise RlpoetError(f"--processes {config.processes}: with {why}, whose steps are not shared out; expected --processes 1.")
    if config.prompts_per_step is not None and config.processes > config.prompts_per_step:
        raise RlpoetError(f"--processes {config.processes}: for {config.prompts_per_step} prompts a step; expected as many at most.")
    if config.algo == "tb":
        check_options(balance_options(config), stanzas_of(config))
    elif (config.objective, config.log_z, config.explore) != ("tb", "vargrad", ()):
        raise RlpoetError(
            f"--algo {config.algo}: with objective, log_z or explore; expected them with tb alone. Set --algo tb or leave them out."
        )


def authors_of(wanted: Sequence[str], policy: Policy) -> list[str | None]:
    """The authors to train on; without any named, the policy's commonest, and as often nobody."""
    for author in wanted:
        if author not in policy.authors:
            raise UnknownName("author", author, policy.authors)
    named = list(wanted) or list(policy.authors[:N_AUTHORS])
    return [*named, *([None] if wanted or not named else [None] * len(named))] or [None]
