"""The configuration of a training run: ``rlpoet train``, and every run of a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_REWARDS = {"rhyme": 1.0, "meter": 1.5}
# a line that is in meter only by a licence earns half: most Spanish lines could be read a syllable longer by one
DEFAULT_OPTIONS: dict[str, dict[str, bool | int | float | str]] = {"meter": {"licence_credit": 0.5}}
# names of an earlier release (``rlpoet.command.Renames``)
EARLIER_REWARD_OPTIONS = {
    "reward_options.meter.strained": "reward_options.meter.licence_credit",
    "reward_options.meter.uncut": "reward_options.meter.missing_caesura_credit",
}
EARLIER = {
    "drill": "aux_rhyme_weight",
    "drill_by": "aux_sampler",
    "favour": "token_prob_exponent",
    "announce": "plan_token_weight",
    "end_words": "rhyme_word_weight",
    "bearing": "cross_segment_credit",
    "pinpoint": "localize_meter_errors",
    "may_repeat": "allow_identical_rhyme",
    **EARLIER_REWARD_OPTIONS,
}
EARLIER_VALUES = {"aux_sampler": {"prior": "reference"}}


@dataclass(frozen=True)
class TrainConfig:
    """Train a policy to rhyme, and report what changed. Ctrl-C saves and reports; --resume goes on.

    Attributes:
        lang: fr, es, en, an installed language, or the folder of one.
        policy: a shipped policy by its language, or the folder of one; the language's own by default.
        policy_class: class that opens it, by the name a package registered it under; by default the one its folder names, or causal-lm.
        output_dir: folder of the run; runs/LANG-ALGO-sSEED by default, a number added if it exists.
        algo: the trainer; tb is trajectory balance, ppo is proximal policy optimisation with a KL penalty to the prior of 1 / beta;
            grpo and rloo are trl's, with the same penalty; rft fine-tunes on its best poems; best-of-n trains nothing and spends the
            budget on drawing the poems it is measured by.
        forms: the forms to train on, drawn evenly.
        authors: whose manner to train on; by default the policy's commonest, and none.
        rewards: weight of each reward, or of MODULE:FUNCTION, a function of yours from texts to numbers in [0, 1].
        reward_options: keyword arguments of rewards, by name.
        compose: how rewards make one: weighted-mean, or product, in which a weight is an exponent and a reward of 0 spoils all.
        gates: rewards that earn only where another one scores enough, such as {meter: {if: rhyme, at_least: 1}}.
        curriculum: factors of weights by progress, linear in between, such as {meter: [[0.2, 0], [0.6, 1]]}; needs replay 0.
        minutes: training time; 0 means no limit of time. By default eleven and a half minutes or 100 updates, whichever is over first.
        max_steps: updates; 0 means no limit of steps.
        prompts_per_step: prompts in a batch; by default 24, or as few as 8 where a budget of minutes would else end after fewer than
            100 updates on this machine.
        group_size: fresh poems a prompt.
        beta: strength of the reward against the prior, log pi* = log p0 + beta r.
        beta_warmup: share of the run over which beta rises to its value.
        learning_rate: peak rate; 0 for the trainer's own, 3e-4 of ppo and 6e-4 of the others.
        replay: poems from the buffer beside the fresh ones, as a share of group_size.
        lora: train a low-rank adapter instead of all weights, r=16,alpha=32,dropout=0.0, each optional (r=8 says enough); saved
            merged.
        freeze_layers: share of the lowest layers that stay as they are, a half by default: as much is learned from as many poems, each step
            is cheaper and more words stay in use. Without effect on an adapter (--lora).
        freeze_embeddings: leave token embeddings and the head as they are; their gradients are mostly noise.
        credit: word gives each token the part of the balance that its line's last word, or the rest of its line, can still change;
            line knows whole lines only; poem gives every token all of it, as in plain VarGrad.
        cross_segment_credit: with credit by word or line, how much of the reward of a later segment is credited to an earlier one that it
            does not rhyme with. 1 keeps the gradient of plain VarGrad in the mean.
        token_prob_exponent: of tb, with credit by word. Last words count in proportion to this power of their probability. More than 0
            keeps rare words in use where there is no auxiliary task. 0 counts all alike.
        plan_token_weight: of tb, with credit by word. How much of the reward goes to the plan token, which names the sound of a line's
            rhyme before its words. 1 is all of it, and costs variety; 0 leaves the choice of sounds to the reference.
        rhyme_word_weight: of tb, with credit by word. How much the last words of lines, and their plan tokens, learn from poems. Less
            keeps more words in use where the auxiliary task teaches them.
        localize_meter_errors: of tb, with credit by word. A line out of meter counts against the miscounted words only, where lines carry
            counts of the syllables left.
        aux_rhyme_weight: of tb: weight of the auxiliary rhyming-word task beside the poems, 0 for none. The policy writes single words
            after the plan tokens of its poems. A policy pretrained without rhyme-pair data cannot do it, and learns from poems alone.
        aux_sampler: reference or policy: which model draws the words of the auxiliary task. The reference keeps words in use that
            training would drop.
        allow_identical_rhyme: let a word rhyme with itself in the poems that are learned from, so that the policy learns from its own
            distribution. Measurements, best-of-n and generate mask identical rhymes.
        epochs: passes of ppo's policy over a batch.
        value_epochs: passes of ppo's critic over a batch.
        minibatches: updates a pass, ppo.
        cliprange: how far ppo lets the ratio of a token's probabilities move from 1.
        cliprange_value: how far ppo lets a value move in one step, in units of reward; 0 for no limit.
        lam: lambda of ppo's advantages; 1 trusts rewards alone, 0 the critic.
        value_rate: peak rate of ppo's critic.
        entropy_bonus: units of reward ppo pays for a nat of entropy; any but 0 moves its target.
        kl_target: nats from the prior that ppo steers its KL coefficient to; 0 keeps it at 1 / beta.
        whiten: give ppo's advantages mean 0 and deviation 1 in each batch.
        objective: of tb: tb balances whole poems; subtb balances between line ends with learned flows; fl the same, each line's reward
            paid at its end. With the last two, credit and cross_segment_credit do not count.
        log_z: of tb: vargrad, the mean over a prompt's poems, or learned; with objective tb the latter needs --credit poem.
        decay: of tb: lambda of subtb and fl; small balances from line to line, large the whole poem.
        explore: of tb: poems beside the fresh ones: hot (a higher temperature), resample (weakest line drawn again, the best kept),
            rhyme (a line that misses its rhyme written from a word that has it, chosen by the prior), human (from explore_file).
        explore_share: poems of each kind, as a share of group_size.
        explore_temperature: of the hot ones.
        tries: lines drawn for a resampled one.
        explore_file: text file of stanzas, blank lines between them, for --explore human.
        sampler: of grpo and rloo: own draws under the grammar of the form, as the others do; trl draws without it.
        scale_rewards: of grpo: none; group divides advantages by the deviation of their prompt's rewards, as published; batch by
            that of all.
        keep_share: of rft: largest share of a prompt's poems that is learned.
        keep_above: of rft: least reward of a poem that is learned.
        same_end: of rft: poems of a batch that may end a line with the same word.
        refresh_steps: of rft: steps between renewals of the policy that draws; 1 is the one in training, 0 leaves it the prior.
        interpolate: share of the prior's weights in the policy that is measured and saved, the mean of both (WiSE-FT): brings end words
            back for fewer rhymes than a weaker reward would. The checkpoint keeps the weights as they were trained.
        openings: share of prompts that give the opening line, taken from the prior's own poems.
        eval_samples: fresh poems measured before and after.
        eval_top_p: draw them from the likeliest tokens that make up p, as generate does at .95; 1 measures the policy itself.
        precision: auto, bf16 or fp32; auto times both on this machine and takes fp32 unless bf16 is clearly faster. The final figures
            are always computed in fp32.
        seed: of sampling, prompts and evaluation.
        threads: cores to use, 0 for all that nobody else keeps busy when the run begins.
        processes: of tb: how many share a step and its cores, faster than as many threads of one. 0 for what pays, one if called from
            Python. A seed gives the same run for the same number.
        save_steps: updates between checkpoints.
        logging_steps: updates between rows of the table.
        report_to: tensorboard or none.
        resume: folder of a stopped run to go on with; its own configuration holds.
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
    minutes: float | None = None
    max_steps: int | None = None
    prompts_per_step: int | None = None
    group_size: int = 8
    beta: float = 30.0
    beta_warmup: float = 0.2
    learning_rate: float = 0.0
    replay: float = 0.0
    lora: str = ""
    freeze_layers: float = 0.5
    freeze_embeddings: bool = True
    credit: str = "word"
    cross_segment_credit: float = 0.2
    token_prob_exponent: float = 0.0
    plan_token_weight: float = 0.7
    rhyme_word_weight: float = 1.0
    localize_meter_errors: bool = True
    aux_rhyme_weight: float = 2.0
    aux_sampler: str = "reference"
    allow_identical_rhyme: bool = True
    epochs: int = 1
    value_epochs: int = 2
    minibatches: int = 2
    cliprange: float = 0.2
    cliprange_value: float = 0.2
    lam: float = 0.95
    value_rate: float = 1e-3
    entropy_bonus: float = 0.0
    kl_target: float = 0.0
    whiten: bool = True
    objective: str = "tb"
    log_z: str = "vargrad"
    decay: float = 0.9
    explore: tuple[str, ...] = ()
    explore_share: float = 0.25
    explore_temperature: float = 1.15
    tries: int = 4
    explore_file: str | None = None
    sampler: str = "own"
    scale_rewards: str = "none"
    keep_share: float = 0.25
    keep_above: float = 0.0
    same_end: int = 3
    refresh_steps: int = 1
    interpolate: float = 0.0
    openings: float = 0.25
    eval_samples: int = 256
    eval_top_p: float = 1.0
    precision: str = "auto"
    seed: int = 0
    threads: int = 0
    processes: int = 0
    save_steps: int = 50
    logging_steps: int = 10
    report_to: str = "tensorboard"
    resume: str | None = None
