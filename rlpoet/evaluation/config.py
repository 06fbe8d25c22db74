"""What ``rlpoet evaluate`` is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class EvaluateConfig:
    """Measure a policy, or poems from anywhere: form, kinds of rhyme, rewards, variety, copying, perplexity, beside people's.

    With --policy: poems it writes, and with --poems the bits per character of poems it has not read. With --texts: poems of any file or
    folder, no policy needed. Every figure has a 95-percent interval, poems resampled, and comes from the same poems for every row.

    Attributes:
        policy: a shipped policy by its language, the folder of one or of a run, any Hugging Face causal LM.
        policy_class: class that opens it, by the name a package registered it under; by default the one its folder names, or causal-lm.
        texts: poems to measure beside or instead of a policy's: text files, tables, folders, a run, what generate --out wrote.
        poems: corpora of poems it has not read: files, folders, hf:owner/name, gutenberg:NUMBER.
        human: poems by people that stand beside the measured ones; those of --poems by default.
        where: only poems of --poems and --human that meet these conditions, such as author=Ronsard|Labé,year<1600.
        max_poems: at most so many, drawn by the seed; 0 for all.
        n: poems to sample of each form, and at most so many of people's; 0 for none.
        forms: the forms to sample, and those --texts are held to; by default couplet, quatrain-abab and quatrain-abba are sampled,
            and each stanza of --texts is held to the form it keeps best.
        authors: in whose manner to sample, each in turn; nobody's by default.
        rewards: names of rewards to show; all that are installed by default.
        prior: the model whose perplexity the poems have; the shipped prior of the language by default, "none" for none.
        corpus: the corpora it was trained on, to find what its poems copy: files, folders, and so on.
        index: file (.npz) that keeps the index of that corpus: written with --corpus, read without.
        temperature: of sampling; 1 is the policy itself.
        lang: language of --texts, or that a plain model is to write in; a policy with marks of its own keeps its own.
        window: tokens weighed together; 0 for 256, or for a plain model what its positions allow up to 1024.
        precision: of the products that weigh --poems: fp32, bf16, which is some 0.0001 bits off, or auto: what is faster on this machine.
        text_column: column of a table that holds the poems, where its name does not say so.
        author_column: column of a table that names the author.
        allow_download: fetch a hub model that the local cache does not hold.
        device: cpu or cuda; cuda by default where there is one.
        seed: of sampling, resampling, and the choice of max_poems.
        threads: processor threads, 0 for all cores.
        json: one JSON object instead of tables, for machines.
    """

    policy: str | None = None
    policy_class: str | None = None
    texts: tuple[str, ...] = ()
    poems: tuple[str, ...] = ()
    human: tuple[str, ...] = ()
    where: str = ""
    max_poems: int = 0
    n: int = 256
    forms: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    rewards: tuple[str, ...] = ()
    prior: str | None = None
    corpus: tuple[str, ...] = ()
    index: str = ""
    temperature: float = 1.0
    lang: str | None = None
    window: int = 0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    text_column: str | None = None
    author_column: str | None = None
    allow_download: bool = False
    device: str | None = None
    seed: int = 0
    threads: int = 0
    json: bool = False
