"""Settings of trajectory balance, and which of them go together."""

from __future__ import annotations

from dataclasses import dataclass

from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.training.gflownet.exploration import StanzasByForm
from rlpoet.training.schedule import check_warmup

OBJECTIVES = ("tb", "subtb", "fl")
LOG_Z = ("vargrad", "learned")
AUX_SAMPLERS = ("reference", "policy")
EXPLORE = ("hot", "resample", "rhyme", "human")


@dataclass(frozen=True)
class TBOptions:
    """Settings of the loop.

    Attributes:
        prompts_per_step: prompts in a batch.
        group_size: fresh texts a prompt; VarGrad centres within them, so at least 2.
        beta: inverse temperature of the target at the end of the warm-up.
        beta_warmup: share of the run over which beta rises from a quarter of itself.
        learning_rate: peak; it falls to a tenth over the budget.
        warmup: share of the run over which the rate rises.
        replay: texts from the buffer beside the fresh ones of a prompt, as a share of ``group_size``.
        clip: largest norm of a gradient.
        freeze_embeddings: leave token embeddings and the head as they are.
        credit: ``word`` weighs a token of a fresh text by the part of the residual its line's last word, or the rest of its line,
            can still change; ``line`` knows whole lines only; ``poem`` weighs it by all of it (``rlpoet.training.gflownet.credit``).
            Replayed texts
            always count whole.
        cross_segment_credit: how much of a later segment's reward is credited to an earlier one that it does not rhyme with; 1 keeps the
            gradient of TB in the mean.
        token_prob_exponent: with credit by word, exponent of a last word's probability by which its part of the residual counts; 0
            counts all alike.
        plan_token_weight: with credit by word, how much of that residual counts for the plan token, which names the sound of a line's
            rhyme, in [0, 1].
        rhyme_word_weight: with credit by word, how much of it counts for a line's last word and its plan token, in [0, 1].
        localize_meter_errors: with credit by word, hold a line out of meter against the miscounted words only, where lines carry counts.
        aux_rhyme_weight: weight of the auxiliary rhyming-word task (``rlpoet.training.gflownet.auxiliary``); 0 for none.
        aux_sampler: which model draws its words, ``reference`` or ``policy``. The reference keeps words in use that training has made
            rare.
        objective: ``tb``; ``subtb``, balance between any two line ends with learned flows; ``fl``, the same with each line's reward
            paid at its end. The last two share out credit by themselves: ``credit`` and ``cross_segment_credit`` do not count.
        log_z: ``vargrad``, the mean over a prompt's texts, or ``learned`` from the prior's state after the prompt; with ``tb`` the
            latter asks for ``poem`` credit.
        decay: lambda of SubTB.
        explore: which texts stand beside the fresh ones: ``hot``, ``resample``, ``rhyme``, ``human``; none by default.
        explore_share: how many of each kind a prompt, as a share of ``group_size``.
        explore_temperature: of the hot ones.
        tries: lines drawn for a resampled one.
    """

    prompts_per_step: int = 24
    group_size: int = 8
    beta: float = 30.0
    beta_warmup: float = 0.2
    learning_rate: float = 6e-4
    warmup: float = 0.1
    replay: float = 0.0
    clip: float = 1.0
    freeze_embeddings: bool = True
    credit: str = "word"
    cross_segment_credit: float = 0.2
    token_prob_exponent: float = 0.0
    plan_token_weight: float = 0.7
    rhyme_word_weight: float = 1.0
    localize_meter_errors: bool = True
    aux_rhyme_weight: float = 2.0
    aux_sampler: str = "reference"
    objective: str = "tb"
    log_z: str = "vargrad"
    decay: float = 0.9
    explore: tuple[str, ...] = ()
    explore_share: float = 0.25
    explore_temperature: float = 1.15
    tries: int = 4


def check_options(options: TBOptions, human: StanzasByForm | None = None) -> None:
    """Refuse options that cannot go together.

    Raises:
        RlpoetError, UnknownName: an option, with what to set instead.
    """
    if options.group_size < 2:
        raise RlpoetError(f"group_size: {options.group_size}; expected 2 or more, log Z is a mean over a prompt's texts.")
    check_warmup(beta_warmup=options.beta_warmup, warmup=options.warmup)
    if options.objective not in OBJECTIVES:
        raise UnknownName("objective", options.objective, OBJECTIVES)
    if options.log_z not in LOG_Z:
        raise UnknownName("log_z", options.log_z, LOG_Z)
    for name in options.explore:
        if name not in EXPLORE:
            raise UnknownName("explore", name, EXPLORE)
    if options.objective == "tb" and options.log_z == "learned" and options.credit != "poem":
        raise RlpoetError(
            f"--log_z learned: credit is {options.credit!r}; expected 'poem', credit by parts has no use for log Z. Set --credit poem."
        )
    if not options.token_prob_exponent >= 0:
        raise RlpoetError(f"--token_prob_exponent: {options.token_prob_exponent}; expected an exponent of 0 or more.")
    if not 0 <= options.plan_token_weight <= 1:
        raise RlpoetError(f"--plan_token_weight: {options.plan_token_weight}; expected a share in [0, 1].")
    if not 0 <= options.rhyme_word_weight <= 1:
        raise RlpoetError(f"--rhyme_word_weight: {options.rhyme_word_weight}; expected a share in [0, 1].")
    if options.aux_sampler not in AUX_SAMPLERS:
        raise UnknownName("aux_sampler", options.aux_sampler, AUX_SAMPLERS)
    if not options.aux_rhyme_weight >= 0:
        raise RlpoetError(f"--aux_rhyme_weight: {options.aux_rhyme_weight}; expected a weight of 0 or more.")
    if not options.decay > 0:
        raise RlpoetError(f"--decay: {options.decay}; expected a lambda above 0.")
    if not 0 < options.explore_share <= 1:
        raise RlpoetError(f"--explore_share: {options.explore_share}; expected a share in (0, 1].")
    if not options.explore_temperature > 0:
        raise RlpoetError(f"--explore_temperature: {options.explore_temperature}; expected a temperature above 0.")
    if options.tries < 1:
        raise RlpoetError(f"--tries: {options.tries}; expected 1 or more.")
    if "human" in options.explore and not human:
        raise RlpoetError("--explore human: no stanzas; expected a file of them. Set --explore_file FILE.")
