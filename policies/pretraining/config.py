"""The configuration of a pretraining run."""

from __future__ import annotations

from dataclasses import dataclass

# names and values of an earlier release (``rlpoet.command.Renames``)
EARLIER = {"school": "rhyme_pairs_share"}
EARLIER_VALUES = {"key_heads": {0: None}, "countdown": {-1: None}, "threads": {0: None}}


@dataclass(frozen=True)
class PretrainConfig:
    """Train a tiny verse model from nothing on your poems. Run it again with the same --output_dir to go on.

    Attributes:
        lang: fr, es or en.
        data: corpora: files (.jsonl .json .csv .tsv .parquet .txt, also .gz), folders of them, hf:owner/name, gutenberg:NUMBER.
        where: only poems that meet these conditions, such as author=Ronsard|Labé,year<1600 or type=Love.
        output_dir: where the policy, its checkpoint and TensorBoard log go.
        minutes: budget of training time; 0 means no limit.
        max_steps: budget of updates; 0 means no limit.
        start: go on from this policy's weights, pieces and marks (a shipped one by its language, or a folder) instead of from nothing.
        grow: layers to add to --start's, copies of its own that begin silent: the same policy with more room to learn.
        size: nano, tiny, small or gpoet-40m.
        key_heads: key/value heads of every layer, 1 for multi-query attention; by default those of --size.
        tokenizer: bpe, char or word.
        vocab_size: pieces of the tokenizer, marks not counted.
        order: backward (each line from its last word) or forward.
        plans: tell each line its rhyme before its words.
        countdown: interval, in syllables, at which a line states how many are left; 0 for never; by default that of --start, else 0.
        rhyme_pairs_share: share of rhyme-pair data in what is read: rows of words that rhyme, from the ends of these poems' lines.
        core: only poems marked core, where the corpus marks any.
        core_times: how often an epoch reads the core poems when it reads others too (--no_core).
        min_rhymed: leave out poems whose share of rhymed lines is known and lower.
        validation: share of poems held out whole.
        batch_tokens: tokens an update sees.
        window: tokens of a training row.
        gradient_accumulation_steps: batches an update sees, each of batch_tokens.
        learning_rate: peak rate.
        curve: linear holds the peak and falls over the last part of the budget; cosine falls from the warm-up on.
        decay: that last part.
        warmup_steps: updates over which the rate rises.
        patience: stop after so many evaluations without better held-out bits per character, and keep the best weights; 0 for neither.
        seed: of weights and order.
        threads: processor threads; by default all cores.
        precision: auto, fp32 or bf16, of the matrix products;
            auto times both on this machine and takes fp32 unless bf16 is clearly faster.
        compile: use torch.compile where a C++ compiler is there and the model is not read by hand, which is faster.
        save_steps: updates between evaluations and checkpoints.
        eval_samples: poems a form sampled at the end for the share of pairs that rhyme.
        resume: go on from the checkpoint in output_dir; --no_resume starts again.
    """

    EARLIER = EARLIER
    EARLIER_VALUES = EARLIER_VALUES

    lang: str
    data: tuple[str, ...]
    output_dir: str
    where: str = ""
    minutes: float = 0.0
    max_steps: int = 0
    start: str = ""
    grow: int = 0
    size: str = "tiny"
    key_heads: int | None = None
    tokenizer: str = "bpe"
    vocab_size: int = 2048
    order: str = "backward"
    plans: bool = True
    countdown: int | None = None
    rhyme_pairs_share: float = 0.0
    core: bool = True
    core_times: int = 1
    min_rhymed: float = 0.5
    validation: float = 0.03
    batch_tokens: int = 4096
    window: int = 256
    gradient_accumulation_steps: int = 1
    learning_rate: float = 3e-3
    curve: str = "linear"
    decay: float = 0.4
    warmup_steps: int = 50
    patience: int = 0
    seed: int = 0
    threads: int | None = None
    precision: str = "auto"
    compile: bool = True
    save_steps: int = 250
    eval_samples: int = 256
    resume: bool = True
