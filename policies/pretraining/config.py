"""The configuration of a pretraining run."""

from __future__ import annotations

from dataclasses import dataclass

from rlpoet.config.command import Switch
from rlpoet.config.ranges import Seed

PIECES = 2048  # of a tokenizer, if nobody says how many
EARLIER = {"school": "rhyme_pairs_share"}  # names of an earlier release (``rlpoet.config.command.Renames``)
EARLIER_VALUES = {"key_heads": {"0": None}, "countdown": {"-1": None}, "threads": {"0": None}}
EARLIER_SWITCHES = {"resume": Switch("output_dir", "overwrite")}  # it was a switch, on by default


@dataclass(frozen=True)
class PretrainConfig:
    """Train a tiny verse model on your poems, from random weights. Ctrl-C saves; --resume continues.

    Attributes:
        lang: fr, es or en.
        data: corpora: files (.jsonl .json .csv .tsv .parquet .txt, also .gz), folders of them, hf:owner/name, gutenberg:NUMBER.
        where: only poems that meet these conditions, such as author=Ronsard|Labé,year<1600 or type=Love.
        prose: files of prose, .jsonl with "paragraphs" or "text", or .txt, also .gz; the model reads it as unrhymed verse, cut into phrases
            of 6 to 14 syllables.
        prose_share: share of prose in what the model reads while it reads prose.
        prose_until: share of the budget after which the model reads verse alone.
        output_dir: folder for the policy, its checkpoint and TensorBoard log.
        minutes: budget of training time; 0 means no limit.
        max_steps: budget of updates; 0 means no limit.
        start: policy to continue from, with its weights, vocabulary and marks: a language for a shipped policy, or a folder; none by
            default.
        grow: number of layers to add to the policy of --start. They are copies of its layers, made so that the policy's output is the same
            at first.
        size: nano, tiny, small or gpoet-40m.
        key_heads: key/value heads of every layer, 1 for multi-query attention; by default what the size says.
        tokenizer: bpe, char or word.
        vocab_size: number of tokens in the vocabulary, without marks: 2048 by default. With --start, by default the vocabulary of that
            policy; a number learns a new one.
        order: backward (each line from its last word) or forward.
        plans: put the rhyme of each line before its words.
        countdown: a mark after every so many syllables says how many are left in the line; 0 for no marks. By default as in --start, else
            0.
        rhyme_pairs_share: share of rhyme-pair data in the training data: rows of rhyming words, taken from the ends of the poems' lines.
        core: train only on poems marked core, if the corpus marks any.
        core_times: how often an epoch reads each core poem, with --no_core.
        min_rhymed: leave out poems with a lower share of rhymed lines, if that share is known.
        validation: share of poems held out.
        batch_tokens: tokens per batch.
        window: tokens per training row.
        gradient_accumulation_steps: batches per update.
        learning_rate: peak rate.
        curve: linear keeps the peak rate and lets it fall at the end of the budget; cosine lets it fall from the end of the warm-up.
        decay: share of the budget over which linear falls.
        warmup_steps: updates over which the rate rises.
        patience: stop after this many evaluations without better held-out bits per character, and keep the best weights; 0 for neither.
        seed: seed of weights and data order.
        device: auto, cpu, cuda or cuda:N; auto takes a GPU where there is one.
        threads: processor threads; by default all cores.
        precision: precision of matrix products, auto, fp32 or bf16; auto times both here and takes bf16 only if it is clearly faster.
        compile: use torch.compile, if a C++ compiler is installed and the faster path for CPUs cannot be used.
        save_steps: updates between evaluations and checkpoints.
        eval_samples: poems a form sampled at the end for the share of pairs that rhyme.
        prepare: make what the model will read, keep it in the folder, and stop before training. --resume trains; it needs no corpora, so
            you can move the folder to a machine with a GPU first.
        overwrite: start again in a folder that has a run, and delete the files of that run.
        resume: folder of a stopped run to continue; the configuration stored there is used. You may give a new budget.
    """

    EARLIER = EARLIER
    EARLIER_VALUES = EARLIER_VALUES
    EARLIER_SWITCHES = EARLIER_SWITCHES
    RESUME_WITH = ("minutes", "max_steps", "threads")

    lang: str
    data: tuple[str, ...]
    output_dir: str
    where: str = ""
    prose: tuple[str, ...] = ()
    prose_share: float = 0.5
    prose_until: float = 0.7
    minutes: float = 0.0
    max_steps: int = 0
    start: str = ""
    grow: int = 0
    size: str = "tiny"
    key_heads: int | None = None
    tokenizer: str = "bpe"
    vocab_size: int | None = None
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
    seed: Seed = 0
    device: str = "auto"
    threads: int | None = None
    precision: str = "auto"
    compile: bool = True
    save_steps: int = 250
    eval_samples: int = 256
    prepare: bool = False
    overwrite: bool = False
    resume: str | None = None
