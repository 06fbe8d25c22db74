"""Options of trajectory balance, and which of them go together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from rlpoet.config.ranges import Count, Natural, NonNegative, Options, Positive, Share, ShareAboveZero
from rlpoet.errors import RlpoetError, UnknownName

Credit = Literal["word", "line", "poem"]
Objective = Literal["tb", "subtb", "fl"]
Exploration = Literal["hot", "resample", "rhyme", "human"]
Preset = Literal["textbook", "segment"]

UNBIASED: Mapping[str, Any] = {  # at these values credit by word has the gradient of VarGrad in the mean
    "cross_segment_credit": 1.0,
    "token_prob_exponent": 0.0,
    "plan_token_weight": 1.0,
    "rhyme_word_weight": 1.0,
    "localize_meter_errors": False,
}
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "textbook": {"objective": "tb", "log_z": "vargrad", "credit": "poem", **UNBIASED},
    "segment": {"objective": "tb", "log_z": "vargrad", "credit": "word", **UNBIASED},
}


@dataclass(frozen=True)
class TBOptions(Options):
    """Trajectory balance (tb).

    Attributes:
        preset: sets several options at once, so that training settles at the target. textbook is VarGrad: objective tb, credit poem.
            segment has the same gradient in the mean and less noise, by credit of words. Both leave out the auxiliary task. An option that
            contradicts the preset is refused.
        objective: tb balances whole poems; subtb balances between line ends with learned flows; fl is subtb with each line's reward paid
            at its end. With the last two, credit and cross_segment_credit do not count.
        log_z: vargrad, the mean over a prompt's poems; learned; or prior, once for each form from poems of the reference, as in A*-PO. With
            objective tb the last two need credit poem; prior goes with no other objective.
        decay: lambda of subtb and fl; small balances from line to line, large the whole poem.
        credit: word gives each token the part of the balance that its line's last word, or the rest of its line, can still change;
            line knows whole lines only; poem gives every token all of it, as in plain VarGrad. Replayed poems always count whole.
        cross_segment_credit: with credit by word or line, how much of the reward of a later segment is credited to an earlier one that it
            does not rhyme with. 1 keeps the gradient of plain VarGrad in the mean; 0.2 moves the fixed point (total variation 0.14
            in the toy of docs/training.md).
        token_prob_exponent: with credit by word. The weight of a last word is proportional to this power of its probability. More than 0
            keeps rare words in use where there is no auxiliary task. 0 gives all words the same weight; 1 moves the fixed point (0.05 in
            the toy).
        plan_token_weight: with credit by word. How much of the reward goes to the plan token, which names the sound of a line's
            rhyme before its words. 1 is all of it, as the stated target has it, and costs variety; 0 leaves the choice of sounds to the
            reference, and 0.7 moves the fixed point that way (0.06 in the toy).
        rhyme_word_weight: with credit by word. How much the last words of lines, and their plan tokens, learn from poems. Less
            keeps more words in use where the auxiliary task teaches them.
        localize_meter_errors: with credit by word. A line out of meter counts only against the words with a wrong count. It needs lines
            with marks for the syllables left. It moves the fixed point (0.08 in the toy).
        replay: poems from the buffer that are added to the fresh ones, as a share of group_size.
        explore: kinds of poems to add to the fresh ones: hot (a higher temperature), resample (the weakest line is drawn again and the best
            draw kept), rhyme (a line that missed its rhyme is written again from a word that rhymes, chosen by the prior), human (from
            explore_file).
        explore_share: poems of each kind, as a share of group_size.
        explore_temperature: of the hot ones.
        explore_file: text file of stanzas, blank lines between them, for explore human.
        tries: draws of a resampled line.
        searchers: processes on Ray that draw and score poems while this process learns from earlier ones (asynchronous trajectory
            balance). 0 draws and learns by turns. Needs the extra ray; with objective tb, credit poem.
        refresh_steps: with searchers, updates between two sendings of weights to them.
        cluster: where searchers run: ray starts Ray on this machine, ray:ADDRESS joins a cluster.
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = PRESETS

    preset: Preset | None = None
    objective: Objective = "tb"
    log_z: Literal["vargrad", "learned", "prior"] = "vargrad"
    decay: Positive = 0.9
    credit: Credit = "word"
    cross_segment_credit: Share = 0.2
    token_prob_exponent: NonNegative = 0.0
    plan_token_weight: Share = 0.7
    rhyme_word_weight: Share = 1.0
    localize_meter_errors: bool = True
    replay: NonNegative = 0.0
    explore: tuple[Exploration, ...] = ()
    explore_share: ShareAboveZero = 0.25
    explore_temperature: Positive = 1.15
    explore_file: str | None = None
    tries: Count = 4
    searchers: Natural = 0
    refresh_steps: Count = 2
    cluster: str = "ray"

    def __new__(cls, *args: Any, **given: Any) -> Self:
        """Refuse what contradicts a preset, while it can still be told what was given from what is a default."""
        preset = given.get("preset")
        for name, value in PRESETS.get(str(preset), {}).items():
            if name in given and given[name] != value:
                raise RlpoetError(
                    f"--tb.{name} {given[name]}: beside --tb.preset {preset}, which sets {value}; expected one of the two. "
                    f"Leave out --tb.{name} or the preset."
                )
        return super().__new__(cls)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in PRESETS[self.preset].items() if self.preset else ():
            object.__setattr__(self, name, value)  # the class is frozen
        if self.objective == "tb" and self.log_z != "vargrad" and self.credit != "poem":
            raise RlpoetError(
                f"--tb.log_z {self.log_z}: credit is {self.credit!r}; expected 'poem', credit by parts has no use for log Z. "
                "Set --tb.credit poem."
            )
        if self.objective != "tb" and self.log_z == "prior":
            raise RlpoetError(f"--tb.log_z prior: with --tb.objective {self.objective}; expected objective tb. Leave out one of the two.")
        if self.searchers and self.objective == "tb" and self.credit != "poem":
            raise RlpoetError(
                f"--tb.searchers {self.searchers}: credit is {self.credit!r}, which needs poems of the present weights; searchers draw "
                "with earlier ones; expected 'poem'. Set --tb.credit poem, or --tb.preset textbook."
            )
        if self.cluster.partition(":")[0] != "ray":
            raise UnknownName("--tb.cluster", self.cluster, ("ray", "ray:ADDRESS"))
        if "human" in self.explore and self.explore_file is None:
            raise RlpoetError("--tb.explore human: no stanzas; expected a file of them. Set --tb.explore_file FILE.")

    @property
    def has_flows(self) -> bool:
        """Whether something beside the policy is learned: flows of line ends, or log Z."""
        return self.objective != "tb" or self.log_z == "learned"

    @property
    def is_elsewhere(self) -> bool:
        """Whether searchers run on a cluster that was there before."""
        return ":" in self.cluster
