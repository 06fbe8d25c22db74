"""The configuration of a training run: ``rlpoet train``, and every run of a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rlpoet.config.opening import AskingOptions, OpeningOptions
from rlpoet.config.ranges import Count, Natural, NonNegative, Seed, ShareAboveZero, ShareBelowOne
from rlpoet.errors import RlpoetError
from rlpoet.reporting.tracking.reporters import ReportTo
from rlpoet.training.baselines.options import BestOfNOptions, RFTOptions, TRLOptions
from rlpoet.training.gflownet.options import TBOptions
from rlpoet.training.options import StepOptions
from rlpoet.training.ppo.options import PPOOptions
from rlpoet.training.time_limit import SECONDS

DEFAULT_REWARDS = {"rhyme": 1.0, "meter": 1.5}
# a line that is in meter only by a licence earns half: most Spanish lines could be read a syllable longer by one
DEFAULT_OPTIONS: dict[str, dict[str, bool | int | float | str]] = {"meter": {"licence_credit": 0.5}}
TABLES = {"tb": "tb", "ppo": "ppo", "grpo": "trl", "rloo": "trl", "rft": "rft", "best-of-n": "best_of_n"}  # trainer -> its options
# names of an earlier release (``rlpoet.config.command.Renames``)
EARLIER_REWARD_OPTIONS = {
    "reward_options.meter.strained": "reward_options.meter.licence_credit",
    "reward_options.meter.uncut": "reward_options.meter.missing_caesura_credit",
}
TB_EARLIER = {
    "favour": "token_prob_exponent",
    "announce": "plan_token_weight",
    "end_words": "rhyme_word_weight",
    "bearing": "cross_segment_credit",
    "pinpoint": "localize_meter_errors",
}
MOVED = {  # options that stood beside the shared ones
    "tb": ("objective", "log_z", "decay", "replay", "explore", "explore_share", "explore_temperature", "explore_file", "tries",
           *TB_EARLIER.values()),
    "ppo": ("epochs", "value_epochs", "minibatches", "cliprange", "cliprange_value", "lam", "value_rate", "entropy_bonus", "kl_target",
            "whiten"),
    "trl": ("sampler", "scale_rewards"),
    "rft": ("keep_share", "keep_above", "same_end", "refresh_steps"),
}  # fmt: skip
EARLIER = {
    "drill": "aux_rhyme_weight",
    "drill_by": "aux_sampler",
    "may_repeat": "allow_identical_rhyme",
    **{old: f"tb.{new}" for old, new in TB_EARLIER.items()},
    **{name: f"{table}.{name}" for table, names in MOVED.items() for name in names},
    "credit": "{algo:tb,ppo}.credit",
    **EARLIER_REWARD_OPTIONS,
}
EARLIER_VALUES: dict[str, dict[str, str | None]] = {
    "aux_sampler": {"prior": "reference"},
    **{name: {"0": None} for name in ("learning_rate", "threads", "processes")},  # 0 was "choose for me"
}


@dataclass(frozen=True)
class TrainConfig(StepOptions, OpeningOptions, AskingOptions):
    """Train a policy to rhyme, and report what changed. Ctrl-C saves and reports; --resume continues.

    Attributes:
        lang: fr, es, en, an installed language, or the folder of one.
        policy: a shipped policy by its language, or the folder of one; the language's own by default.
        policy_class: class that opens it, by the name a package registered it under; by default the one its folder names, or causal-lm.
        output_dir: folder of the run; runs/LANG-ALGO-sSEED by default, a number added if it exists.
        algo: the trainer. tb is trajectory balance. ppo is proximal policy optimisation with a KL penalty of 1 / beta. grpo and rloo are
            those of trl, with the same penalty. rft fine-tunes on its best poems. best-of-n trains nothing: it draws n poems for each poem
            that is measured. A package can add trainers. Each has a table of its own options.
        forms: the forms to train on, drawn evenly.
        authors: authors to imitate in training; by default the policy's commonest, and none.
        rewards: weight of each reward, or of MODULE:FUNCTION, a function of yours from texts to numbers in [0, 1].
        reward_options: keyword arguments of rewards, by name.
        compose: how several rewards become one: weighted-mean, or product. In a product a weight is an exponent, and one reward of 0 makes
            the whole 0.
        gates: rewards that earn only where another one scores enough, such as {meter: {if: rhyme, at_least: 1}}.
        curriculum: factors of weights by progress, linear in between, such as {meter: [[0.2, 0], [0.6, 1]]}; needs tb.replay 0.
        reward_timeout: seconds that one call of a reward may take before the run ends with an error; 0 means no limit.
        minutes: training time; 0 means no limit of time. By default eleven and a half minutes or 100 updates, whichever ends first.
        max_steps: updates; 0 means no limit of steps.
        lora: train a low-rank adapter instead of all weights, r=16,alpha=32,dropout=0.0, each optional (r=8 says enough); saved
            merged.
        freeze_layers: share of the layers, from the lowest, that do not change. With three quarters, the policy learns as much from as many
            poems, drifts less from the reference, and each step is cheaper. Without effect on an adapter (--lora).
        allow_identical_rhyme: let a word rhyme with itself in the poems drawn for training, so that the policy learns from its own
            distribution. Measurements, best-of-n and generate mask identical rhymes.
        interpolate: share of the prior's weights in the policy that is measured and saved, which is a mean of both (WiSE-FT). It brings
            back variety of end words, and costs fewer rhymes than a weaker reward would. The checkpoint keeps the weights as they were
            trained.
        openings: share of prompts that give the opening line, taken from the prior's own poems.
        eval_samples: fresh poems measured before and after.
        eval_top_p: draw the measured poems from the likeliest tokens whose probabilities sum to p, as generate does at .95; 1 measures the
            policy itself.
        precision: auto, bf16 or fp32; auto times both on this machine and takes fp32 unless bf16 is clearly faster. The final figures
            are always computed in fp32.
        micro_batch: number of texts per forward pass when log-probabilities are computed; activations are computed again for the gradient.
            By default all texts of a step. Fewer take less memory and a third more time, and give the same gradient. Without effect on a
            small Llama on a CPU, which reads few texts at a time in any case.
        seed: of sampling, prompts and evaluation.
        threads: cores to use; by default all cores that no other program keeps busy when the run begins.
        processes: for tb, ppo and rft: number of processes that share a step and the cores. N processes are faster than one process with N
            threads. By default the fastest number, or one if called from Python. A seed repeats a run only with the same number.
        save_steps: updates between checkpoints.
        logging_steps: updates between rows of the table.
        report_to: the program in which you watch the run; the log files are written in any case. trackio, wandb and mlflow need their
            packages.
        resume: folder of a stopped run to continue; the configuration stored there is used.
        tb: options of trajectory balance.
        ppo: options of proximal policy optimisation.
        trl: options of grpo and rloo.
        rft: options of rejection-sampling fine-tuning.
        best_of_n: options of best-of-n.
        trainer_options: options of a trainer from another package, by name.
    """

    EARLIER = EARLIER
    EARLIER_VALUES = EARLIER_VALUES

    lang: str = "fr"
    policy: str | None = None
    policy_class: str | None = None
    output_dir: str | None = None
    algo: str = "tb"
    forms: tuple[str, ...] = ("quatrain-abab", "quatrain-abba")
    authors: tuple[str, ...] = ()
    rewards: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_REWARDS))
    reward_options: Mapping[str, Mapping[str, bool | int | float | str]] = field(default_factory=lambda: dict(DEFAULT_OPTIONS))
    compose: str = "weighted-mean"
    gates: Mapping[str, Mapping[str, float | str]] = field(default_factory=dict)
    curriculum: Mapping[str, list[list[float]]] = field(default_factory=dict)
    reward_timeout: NonNegative = SECONDS
    minutes: NonNegative | None = None
    max_steps: Natural | None = None
    lora: str = ""
    freeze_layers: ShareBelowOne = 0.75
    allow_identical_rhyme: bool = True
    interpolate: ShareBelowOne = 0.0
    openings: ShareBelowOne = 0.25
    eval_samples: Count = 256
    eval_top_p: ShareAboveZero = 1.0
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    micro_batch: Count | None = None
    seed: Seed = 0
    threads: Count | None = None
    processes: Count | None = None
    save_steps: Count = 50
    logging_steps: Count = 10
    report_to: ReportTo = "tensorboard"
    resume: str | None = None
    tb: TBOptions = field(default_factory=TBOptions)
    ppo: PPOOptions = field(default_factory=PPOOptions)
    trl: TRLOptions = field(default_factory=TRLOptions)
    rft: RFTOptions = field(default_factory=RFTOptions)
    best_of_n: BestOfNOptions = field(default_factory=BestOfNOptions)
    trainer_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.minutes == 0 and not self.max_steps) or (self.max_steps == 0 and not self.minutes):
            raise RlpoetError("--minutes: no budget; expected --minutes 8 or --max_steps 200.")
        if self.lora and self.interpolate:
            raise RlpoetError(f"--interpolate {self.interpolate}: with --lora, whose weights are factors; expected --interpolate 0.")
        if self.curriculum and self.tb.replay:
            raise RlpoetError(
                f"--curriculum: with --tb.replay {self.tb.replay}, whose scores are of other weights; expected --tb.replay 0."
            )

    @property
    def n_processes(self) -> int:
        """Processes that share a step; 1 until it is settled."""
        return self.processes or 1

    @property
    def budget(self) -> tuple[float, int]:
        """Minutes and updates, 0 for no limit."""
        return self.minutes or 0.0, self.max_steps or 0

    @property
    def options(self) -> Any:
        """The trainer's own table; ``trainer_options`` of a trainer from another package."""
        table = TABLES.get(self.algo)
        return self.trainer_options if table is None else getattr(self, table)


def refuse_others(config: TrainConfig) -> None:
    """Refuse options of a trainer that is not the one to run: they would be without effect.

    Raises:
        RlpoetError: the first of them.
    """
    own = TABLES.get(config.algo)
    for table in dict.fromkeys(TABLES.values()):
        options = getattr(config, table)
        default = type(options)()
        for name, value in vars(options).items():
            if table != own and value != getattr(default, name):
                whose = " or ".join(algo for algo, other in TABLES.items() if other == table)
                raise RlpoetError(
                    f"--{table}.{name} {value}: an option of {whose}; expected none beside --algo {config.algo}. Leave it out."
                )
    if config.trainer_options and own is not None:
        raise RlpoetError(f"--trainer_options: with --algo {config.algo}; expected them in its own table, --{own}.OPTION.")
