"""The configuration of a fine-tuning run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rlpoet.config.command import Switch
from rlpoet.config.opening import OpeningOptions
from rlpoet.config.ranges import Seed
from rlpoet.reporting.tracking.reporters import ReportTo

EARLIER_VALUES = {"epochs": {"0": None, "0.0": None}, "threads": {"0": None}}  # values of an earlier release
EARLIER_SWITCHES = {"resume": Switch("output_dir")}  # it was a switch, and output_dir said the folder


@dataclass(frozen=True)
class FinetuneConfig(OpeningOptions):
    """Fine-tune a policy on your poems: all weights, some of them, or a LoRA adapter. --resume continues a run after Ctrl-C.

    Attributes:
        policy: where to start: fr, es or en, a folder, an adapter, a .gguf file, or hf:OWNER/NAME in the cache of Hugging Face.
        data: corpora: files (.jsonl .json .csv .tsv .parquet .txt, also .gz), folders of them, hf:owner/name, gutenberg:NUMBER.
        output_dir: folder for the policy or adapter, with samples.txt, loss.png, result.json and TensorBoard's log.
        where: only poems that meet these conditions, such as age=Renaissance,type=Love or author=Ronsard|Labé,year<1600.
        lang: language that a plain model should write in; an rlpoet policy has its own.
        format: planned teaches a plain model to write the last word of each line before the line; plain teaches it to write the lines only.
            By default the format of the policy. An rlpoet policy has marks of its own and keeps them.
        freeze: parts that are not trained: attention, embeddings, all-but-head; several separated by commas.
        lora: train an adapter only, such as r=64,alpha=16,dropout=0.1; "" trains the weights themselves.
        lora_target: layers that get an adapter: all-linear, attention, mlp, or names such as q_proj.
        qlora: with --lora, hold the base in four bits (NF4, by bitsandbytes).
        merge: with --lora, save whole weights, and the adapter in output_dir/adapter.
        new_authors: largest number of poets that get a new author mark; needs trained embeddings, or --lora.
        epochs: budget in passes over the poems; by default three where no other budget is given, else no limit.
        max_steps: budget of updates; 0 means no limit.
        minutes: budget of training time; 0 means no limit. The run ends when the first budget is spent.
        batch_size: rows per forward pass.
        gradient_accumulation_steps: forward passes per update.
        window: most tokens per row.
        learning_rate: peak rate; it falls along a cosine.
        warmup_ratio: share of the updates over which the rate rises.
        weight_decay: weight decay of matrices.
        max_grad_norm: clip gradients at this norm; 0 for no clipping.
        group_by_length: put rows of similar length into one batch.
        precision: precision of matrix products, auto, fp32 or bf16; auto times both here and takes bf16 only if it is clearly faster.
        validation: share of poems held out, for bits per character and early stopping.
        patience: stop after this many evaluations without improvement; 0 never stops. The best weights are kept either way.
        save_steps: updates between evaluations and checkpoints.
        logging_steps: updates between rows of the log.
        forms: forms of the samples.
        authors: authors of the samples; by default the commonest author of the data that the policy knows.
        n_samples: poems per form and author in samples.txt, before and after.
        sampling: decoding options of the samples: temperature, top_k, top_p, beams, repetition_penalty, no_repeat_ngram.
        eval_samples: poems whose rhyme and meter are measured before and after; 0 for none.
        dtype: precision of whole weights on disk, bf16 or fp32.
        report_to: the program in which you watch the run; the log files are written in any case. trackio, wandb and mlflow need their
            packages.
        seed: seed of data order, dropout and samples.
        threads: processor threads; by default all cores.
        resume: folder of a stopped run to continue; the configuration stored there is used. You may give a new budget.
    """

    EARLIER_SWITCHES = EARLIER_SWITCHES
    EARLIER_VALUES = EARLIER_VALUES
    RESUME_WITH = ("epochs", "max_steps", "minutes", "threads")

    policy: str
    data: tuple[str, ...]
    output_dir: str
    where: str = ""
    lang: str | None = None
    format: Literal["plain", "planned"] | None = None
    freeze: tuple[str, ...] = ()
    lora: str = ""
    lora_target: tuple[str, ...] = ("all-linear",)
    qlora: bool = False
    merge: bool = False
    new_authors: int = 16
    epochs: float | None = None
    max_steps: int = 0
    minutes: float = 0.0
    batch_size: int = 16
    gradient_accumulation_steps: int = 1
    window: int = 256
    learning_rate: float = 2e-4
    warmup_ratio: float = 0.05
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    group_by_length: bool = True
    precision: str = "auto"
    validation: float = 0.05
    patience: int = 3
    save_steps: int = 100
    logging_steps: int = 10
    forms: tuple[str, ...] = ("quatrain-abab",)
    authors: tuple[str, ...] = ()
    n_samples: int = 2
    sampling: dict[str, float] = field(default_factory=lambda: {"temperature": 0.8})
    eval_samples: int = 64
    dtype: str = "bf16"
    report_to: ReportTo = "tensorboard"
    seed: Seed = 0
    threads: int | None = None
    resume: str | None = None
