"""The configuration of verbs that run many trainings: languages, seeds, budget, and settings of all runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rlpoet.config.command import under
from rlpoet.training.config import EARLIER, EARLIER_VALUES, TrainConfig

# names of an earlier release (``rlpoet.config.command.Renames``)
BY_LANG = (under("by_lang.*", EARLIER), under("by_lang.*", EARLIER_VALUES))
ARMS = (under("arms.*", EARLIER), under("arms.*", EARLIER_VALUES))
COMPARE_EARLIER, COMPARE_EARLIER_VALUES = BY_LANG[0] | ARMS[0], BY_LANG[1] | ARMS[1]
OLD_FACTORS = {
    "narrow-bearing": "narrow-credit",
    "favour": "token-prob-exponent",
    "prior-sounds": "plan-tokens",
    "end-words": "rhyme-words",
    "drill": "aux-rhyme",
    "drill-by-prior": "aux-by-reference",
    "pinpoint": "meter-errors",
    "repeats": "identical-rhyme",
}
ABLATE_EARLIER, ABLATE_EARLIER_VALUES = (
    BY_LANG[0],
    {
        **BY_LANG[1],
        "kind": {"levers": "factors"},
        "pick": {f"{way}-{old}": f"{way}-{new}" for way in ("no", "with") for old, new in OLD_FACTORS.items()},
    },
)


@dataclass(frozen=True)
class GridConfig:
    """Many trainings, side by side.

    Attributes:
        output_dir: folder for everything; a run goes into ARM/LANG-sSEED. The same command keeps finished runs, and continues stopped ones.
        langs: languages.
        seeds: seeds; the figures of an arm are means over them.
        minutes: training time of each run; by default that of --common.
        max_steps: updates of each run; by default those of --common.
        common: settings of every run, as in rlpoet train; by default one thread per run.
        by_lang: language -> settings of its runs, which override the common ones.
        jobs: number of runs at the same time; 0 for one per core.
        cluster: ray makes each run a task of Ray on this machine, ray:ADDRESS on a cluster whose machines share these folders; a worker
            that dies is replaced. Needs the extra ray. By default each run is a process of this machine.
        reach: share of rhyming pairs at which fresh samples are counted.
        overwrite: start runs again if their settings have changed; without it that is an error.
        report_only: run nothing; report on the runs that are done.
        dry_run: run nothing; list what would be done.
        resume: folder of a grid to continue; the configuration stored there is used.
    """

    RESUME_WITH = ("jobs", "cluster", "report_only", "dry_run")

    output_dir: str = "runs/compare"
    langs: tuple[str, ...] = ("fr",)
    seeds: tuple[int, ...] = (0, 1, 2)
    minutes: float | None = None
    max_steps: int | None = None
    common: TrainConfig = field(default_factory=TrainConfig)
    by_lang: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    jobs: int = 0
    cluster: str | None = None
    reach: float = 0.8
    overwrite: bool = False
    report_only: bool = False
    dry_run: bool = False
    resume: str | None = None


@dataclass(frozen=True)
class CompareConfig(GridConfig):
    """Train several arms (trainers with their settings) on one task, over languages and seeds, and say which are better and by how much.

    Ctrl-C saves. --resume, or the same command again, continues.

    Attributes:
        algos: trainers to compare, each as one arm; not needed if --arms names the arms.
        arms: name -> settings of that arm over the common ones, {hot: {explore: [hot]}}. A key rewards.meter sets one weight, rewards all.
        baseline: the arm that the others are compared with; by default the first.
    """

    EARLIER = COMPARE_EARLIER
    EARLIER_VALUES = COMPARE_EARLIER_VALUES

    algos: tuple[str, ...] = ()
    arms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    baseline: str | None = None


@dataclass(frozen=True)
class AblateConfig(GridConfig):
    """Leave out one reward or setting at a time and measure its effect, over languages and seeds.

    Ctrl-C saves. --resume, or the same command again, continues.

    Attributes:
        kind: rewards leaves one reward out of the mix; factors turns one setting of the trainer (--common.algo) off, or on where it is off;
            beta sweeps the strength of the reward.
        betas: strengths to try with kind beta; the beta of --common is added.
        pick: only these arms, by name; all by default (--dry_run lists them).
    """

    EARLIER = ABLATE_EARLIER
    EARLIER_VALUES = ABLATE_EARLIER_VALUES

    output_dir: str = "runs/ablate"
    kind: Literal["rewards", "factors", "beta"] = "factors"
    betas: tuple[float, ...] = (5.5, 11.0, 22.0, 44.0)
    pick: tuple[str, ...] = ()
