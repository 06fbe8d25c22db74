"""The configuration of a pretraining run."""

from __future__ import annotations

from dataclasses import dataclass

from rlpoet.config.command import Switch

EARLIER = {"school": "rhyme_pairs_share"}  # names of an earlier release (``rlpoet.config.command.Renames``)
EARLIER_SWITCHES = {"resume": Switch("output_dir", "overwrite")}  # it was a switch, on by default


@dataclass(frozen=True)
class PretrainConfig:
    """Train a tiny verse model from nothing on your poems. Ctrl-C saves; --resume goes on.

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
        key_heads: key/value heads of every layer, 1 for multi-query attention, 0 for what the size says.
        tokenizer: bpe, char or word.
        vocab_size: pieces of the tokenizer, marks not counted.
        order: backward (each line from its last word) or forward.
        plans: tell each line its rhyme before its words.
        countdown: syllables after which a line says how many are left; 0 for never, -1 for what --start knows (from nothing: never).
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
        threads: processor threads, 0 for all cores.
        precision: auto, fp32 or bf16, of the matrix products;
            auto times both on this machine and takes fp32 unless bf16 is clearly faster.
        compile: use torch.compile where a C++ compiler is there and the model is not read by hand, which is faster.
        save_steps: updates between evaluations and checkpoints.
        eval_samples: poems a form sampled at the end for the share of pairs that rhyme.
        overwrite: begin again in a folder that holds a run, and delete what that run wrote.
        resume: folder of a stopped run to go on with; its own configuration holds, and a budget given beside it.
    """

    EARLIER = EARLIER
    EARLIER_SWITCHES = EARLIER_SWITCHES
    RESUME_WITH = ("minutes", "max_steps", "threads")

    lang: str
    data: tuple[str, ...]
    output_dir: str
    where: str = ""
    minutes: float = 0.0
    max_steps: int = 0
    start: str = ""
    grow: int = 0
    size: str = "tiny"
    key_heads: int = 0
    tokenizer: str = "bpe"
    vocab_size: int = 2048
    order: str = "backward"
    plans: bool = True
    countdown: int = -1
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
    threads: int = 0
    precision: str = "auto"
    compile: bool = True
    save_steps: int = 250
    eval_samples: int = 256
    overwrite: bool = False
    resume: str | None = None
