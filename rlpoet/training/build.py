"""What a training run is made of, from its configuration: policy, reward, trainer, worker processes; and what cannot be meant."""

from __future__ import annotations

import dataclasses
import functools
import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from rlpoet import registry
from rlpoet.checkpoints.signals import ignore_signals
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.evaluation.examples import example_poems
from rlpoet.evaluation.sampled import PER_PROMPT, Measured
from rlpoet.languages import find
from rlpoet.machine import AUTO, PRECISIONS, Pace, check_device, free_threads
from rlpoet.prosody.forms import form_to_write
from rlpoet.protocols import Scorer
from rlpoet.rollout import NamesIdleOptions, Policy, ReadsInParts, TakesAdapter, ask_by, open_policy
from rlpoet.training.budget import MINUTES, UPDATES, Cost, Plan, plan
from rlpoet.training.common import freeze_lower_layers, without_dropout
from rlpoet.training.config import TrainConfig, refuse_others
from rlpoet.training.distributed.ranks import RankLost, Ranks, Spawned, launched, launched_group
from rlpoet.training.distributed.searchers import Searchers
from rlpoet.training.gflownet.options import TBOptions
from rlpoet.training.rewards import composed
from rlpoet.training.trainer import Trainer
from rlpoet.types import Prompt

TRAINERS = "rlpoet.trainers"
N_AUTHORS = 20  # of the policy's commonest, and as many prompts without an author
FEW_STEPS = 10  # a worker takes some ten seconds to begin
LEAST_SHARE = 6  # prompts of a process
FASTEST = 3.0  # times the pace of fp32 that bfloat16 gives a step: not all of it is products


def score_of(config: TrainConfig) -> Scorer:
    """The composed reward."""
    score: Scorer = composed(
        config.rewards, config.reward_options, compose=config.compose, gates=config.gates, curriculum=config.curriculum,
        timeout=config.reward_timeout,
    )  # fmt: skip
    return score


def policy_of(config: TrainConfig) -> Policy:
    """The policy to train, as it was before.

    Raises:
        RlpoetError: it writes another language.
    """
    policy = open_policy(config.policy or config.lang, config, seed=config.seed, lang=config.lang, policy_class=config.policy_class)
    if policy.lang != config.lang:
        raise RlpoetError(f"--policy {config.policy}: writes {policy.lang!r}; expected {config.lang!r}. Set --lang {policy.lang}.")
    without_dropout(policy.model)
    ask_by(policy, config, example_poems(config.data, config.lang, config.forms, config.shots, seed=config.seed))
    if config.micro_batch is not None:
        if not isinstance(policy, ReadsInParts):
            raise RlpoetError(f"--micro_batch: {type(policy).__name__} reads a batch as a whole; expected none. Leave it out.")
        policy.micro_batch = config.micro_batch
    policy.precision = PRECISIONS.get(config.precision, torch.float32)  # a run settles what "auto" is (``rlpoet.training.run``)
    if config.lora:
        if not isinstance(policy, TakesAdapter):
            raise RlpoetError(f"--lora {config.lora}: {type(policy).__name__} takes no adapter; expected a policy that has adapt(lora).")
        policy.adapt(config.lora, seed=config.seed)
    elif config.freeze_layers:
        freeze_lower_layers(policy.model, config.freeze_layers)
    return policy


def trainer_class(algo: str) -> type[Trainer]:
    """The trainer of that name, imported now.

    Raises:
        UnknownName: nobody registered it.
    """
    if algo not in (known := registry.names(TRAINERS)):
        raise UnknownName("--algo", algo, known)
    noisy = logging.getLogger("bitsandbytes")  # which trl's imports may import, and which then misses a kernel nobody asked for
    level = noisy.level
    noisy.setLevel(logging.ERROR)
    try:
        kind: type[Trainer] = registry.load(TRAINERS, algo)
    finally:
        noisy.setLevel(level)
    return kind


def options_of(config: TrainConfig) -> Any:
    """The trainer's own options, as it takes them.

    Raises:
        RlpoetError: options of a trainer from another package that it does not take.
    """
    options = config.options
    if not isinstance(options, Mapping):
        return options
    kind = trainer_class(config.algo).OPTIONS
    known = [item.name for item in dataclasses.fields(kind)]
    for name in options:
        if name not in known:
            raise UnknownName(f"--trainer_options: option of {config.algo}", name, known)
    return kind(**options)


def trainer_of(
    config: TrainConfig,
    policy: Policy,
    score: Scorer,
    prompts: Sequence[Prompt],
    eval_prompts: Sequence[Prompt] = (),
    ranks: Ranks | None = None,
    prior: Policy | None = None,
) -> Trainer:
    """The trainer asked for.

    Args:
        prompts: to train on.
        eval_prompts: of the measurement; each is drawn ``PER_PROMPT`` times.
        prior: the policy's reference, if there is one already.
    """
    slots = [prompt for prompt in eval_prompts for _ in range(PER_PROMPT)][: config.eval_samples]
    kind = trainer_class(config.algo)
    return kind(policy, score, prompts, config, options_of(config), seed=config.seed, slots=slots, ranks=ranks, prior=prior)


def ranks_of(config: TrainConfig, cores: int, out: Console) -> Ranks:
    """The processes that share the run's steps: those of a launcher, or some that this one starts, or this one alone."""
    if launched() > 1:
        group = launched_group()
        group.send(config)
        group.waits = True
        return group
    if config.algo == "tb" and config.tb.searchers:
        return Searchers(
            functools.partial(worker_trainer, config), config.tb.searchers, cluster=config.tb.cluster,
            threads=cores if config.tb.is_elsewhere else threads_of_a_process(config, cores), device=config.device,
        )  # fmt: skip
    if config.n_processes < 2:
        return Ranks()
    return Spawned(
        functools.partial(worker_trainer, config), config.n_processes - 1, threads=threads_of_a_process(config, cores), tell=out.print
    )


def threads_of_a_process(config: TrainConfig, cores: int) -> int:
    """Threads of each process of this machine that works for the run."""
    n_searchers = config.tb.searchers if config.algo == "tb" and not config.tb.is_elsewhere else 0
    return max(1, cores // (config.n_processes + n_searchers))


def follow() -> None:
    """Be a rank of a launcher's that is not the first: take the configuration of rank 0, and do what it says to the end.

    Raises:
        RlpoetError: rank 0 is gone.
    """
    ignore_signals()  # they are rank 0's to answer
    with launched_group() as group:
        try:
            config: TrainConfig | None = group.receive()
            if config is not None:  # else rank 0 gave up before it began
                torch.set_num_threads(max(1, (config.threads or 1) // config.n_processes))
                worker_trainer(config).follow(group)
        except RankLost as error:
            raise RlpoetError(f"rank {group.rank}: {error}") from error


def worker_trainer(config: TrainConfig) -> Any:
    """The trainer of a worker process: as the run's own. Its prompts only name the forms; those of a step come with each task."""
    policy = policy_of(config)
    policy.allow_identical_rhyme = config.allow_identical_rhyme
    return trainer_of(config, policy, score_of(config), [Prompt(config.lang, name) for name in config.forms])


def resolve(config: TrainConfig, *, spawn: bool) -> TrainConfig:
    """With a number for all that was left to the program, but for precision and prompts of a step, which are measured first.

    Args:
        spawn: whether processes may be started without being asked for, one per free core. A script of somebody else's may not be
            written to be imported again by a process.
    """
    kind = trainer_class(config.algo)
    minutes, max_steps = config.budget if (config.minutes, config.max_steps) != (None, None) else (MINUTES, UPDATES)
    threads = config.threads or free_threads()
    processes = launched()
    if processes == 1 and spawn and not 0 < max_steps < FEW_STEPS and not kind.unshared(config, options_of(config)):
        processes = max(1, min(threads, config.n_prompts // LEAST_SHARE))
    return dataclasses.replace(
        config, minutes=minutes, max_steps=max_steps, threads=threads, processes=config.processes or processes,
        learning_rate=kind.RATE if config.learning_rate is None else config.learning_rate,
        aux_rhyme_weight=kind.usual_aux_rhyme_weight(options_of(config)) if config.aux_rhyme_weight is None else config.aux_rhyme_weight,
    )  # fmt: skip


def settled(config: TrainConfig, pace: Pace) -> TrainConfig:
    """With the precision and the threads that pay here. They are part of the run: others round otherwise, and give other poems.

    Args:
        pace: of the model, with the threads of one process.

    >>> config = settled(TrainConfig(threads=8, processes=2), Pace("bf16", 3, {}))
    >>> config.precision, config.threads
    ('bf16', 6)
    """
    threads = config.n_processes * min(pace.threads, max(1, (config.threads or 1) // config.n_processes))
    return dataclasses.replace(config, precision=pace.precision if config.precision == AUTO else config.precision, threads=threads)


def fitted(config: TrainConfig, policy: Policy) -> TrainConfig:
    """Without the auxiliary task where the policy cannot do it.

    Raises:
        RlpoetError: an option that means nothing to the policy.
    """
    idle = policy.idle_options() if isinstance(policy, NamesIdleOptions) else {}
    weight = trainer_class(config.algo).usual_aux_rhyme_weight(options_of(config))
    usual = TrainConfig(aux_rhyme_weight=weight, tb=TBOptions(preset=config.tb.preset))
    for key, why in idle.items():
        name, _, choice = key.partition(" ")
        value = _value(config, name)
        if choice in value if choice else value not in (_value(usual, name), 0.0):
            raise RlpoetError(f"--{name} {choice or value}: without effect on this policy, for {why}; expected none. Leave it out.")
    return dataclasses.replace(config, aux_rhyme_weight=0.0) if "aux_rhyme_weight" in idle else config


def _value(config: TrainConfig, name: str) -> Any:
    """The value at a dotted name."""
    return functools.reduce(getattr, name.split("."), config)


def try_saving(policy: Policy, folder: Path) -> None:
    """Save a policy and delete what was written: what a run cannot save it must not spend its budget on.

    Raises:
        RlpoetError: it cannot be saved.
    """
    with tempfile.TemporaryDirectory(prefix=".saving-", suffix=".part", dir=folder) as spare:
        try:
            policy.save(spare)
        except RlpoetError:
            raise
        except (OSError, ValueError, RuntimeError, NotImplementedError) as error:  # a full disk, or a model of a library that refuses
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise RlpoetError(
                f"{folder}: the policy cannot be saved ({first[:160]}), and nothing was trained; expected one that can, and room."
            ) from error


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
        form_to_write(name, config.lang)
    if not config.forms:
        raise RlpoetError("--forms: none given; expected at least one, such as quatrain-abab.")
    check_device(config.device)
    kind = trainer_class(config.algo)
    refuse_others(config)
    options = options_of(config)
    kind.check(config, options)
    n_processes = max(config.n_processes, launched())
    if launched() > 1 and config.processes not in (None, launched()):
        raise RlpoetError(f"--processes {config.processes}: beside a launcher, which started {launched()}; expected none. Leave it out.")
    if n_processes > 1 and (why := kind.unshared(config, options)):
        raise RlpoetError(f"--processes {n_processes}: with {why}, whose steps are not shared out; expected --processes 1.")
    if n_processes > config.n_prompts:
        raise RlpoetError(f"--processes {n_processes}: for {config.n_prompts} prompts per step; expected as many at most.")


def authors_of(wanted: Sequence[str], policy: Policy) -> list[str | None]:
    """The authors to train on; without any named, the policy's commonest, and as often nobody."""
    for author in wanted:
        if author not in policy.authors:
            raise UnknownName("author", author, policy.authors)
    named = list(wanted) or list(policy.authors[:N_AUTHORS])
    return [*named, *([None] if wanted or not named else [None] * len(named))] or [None]


def plan_of(config: TrainConfig, before: Measured, pace: Pace | None) -> Plan:
    """How the run spends its budget on this machine, from what measuring the prior took, in fp32 and one process."""
    gflops = {} if pace is None else pace.gflops
    fp32, own = gflops.get("fp32", 0.0), gflops.get(config.precision, 0.0)
    cost = Cost(before.draw_seconds, before.read_seconds, speedup=min(FASTEST, own / fp32) if fp32 and own else 1.0)
    minutes, max_steps = config.budget
    passes = config.ppo.value_epochs if config.algo == "ppo" and config.ppo.critic == "model" else 0
    return plan(
        cost.of_step(config.algo, practice=bool(config.aux_rhyme_weight), critic_passes=passes), minutes=minutes, max_steps=max_steps,
        group_size=config.group_size, prompts=config.prompts_per_step, least=config.n_processes,
    )  # fmt: skip
