"""The configuration of ``rlpoet evaluate``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlpoet.config.opening import AskingOptions, OpeningOptions
from rlpoet.config.ranges import Seed


@dataclass(frozen=True)
class EvaluateConfig(OpeningOptions, AskingOptions):
    """Measure a policy or any poems, and compare them with poems by people: form, kinds of rhyme, rewards, variety, copying, perplexity.

    With --policy, measures poems that the policy writes; with --poems, also the bits per character of poems that it was not trained on.
    With --texts, measures the poems of any file or folder, without a policy. Every figure has a 95-percent interval by resampling poems.

    Attributes:
        policy: a shipped policy by its language, the folder of one or of a run, any Hugging Face causal LM.
        policy_class: class that opens it, by the name a package registered it under; by default the one its folder names, or causal-lm.
        texts: poems to measure with or without a policy: text files, tables, folders, a run, or a file that generate --out wrote.
        poems: corpora of poems that the policy was not trained on: files, folders, hf:owner/name, gutenberg:NUMBER.
        human: poems by people, to compare with; by default those of --poems.
        where: only poems of --poems and --human that meet these conditions, such as author=Ronsard|Labé,year<1600.
        max_poems: most poems of --poems to read, chosen by the seed; 0 for all.
        n: poems to sample per form, and most poems by people per form; 0 for none.
        forms: forms to sample, and forms to compare --texts with; by default samples couplet, quatrain-abab and quatrain-abba, and
            compares each stanza of --texts with the form that it keeps best.
        authors: authors to imitate, in turn; by default none.
        rewards: names of rewards to show; by default all installed ones.
        prior: model that gives the perplexity; by default the shipped prior of the language, "none" for no perplexity.
        sense: also measure whether lines fit together (by --line_judge), and whether a classifier can tell the poems from poems by people.
            The classifier needs the extra "sense" and --human or --poems.
        line_judge: what judges lines for --sense: minilm (English), e5, theme, a theme model (.npz), or the folder of a
            sentence-transformers model; auto for the first of these that is here.
        judge_model: another language model, which gives the bits per character of poems and what context saves: a folder, a GGUF file, a
            name in the local Hugging Face cache; by default none.
        corpus: corpora that the policy was trained on, to find copied lines: files, folders, and so on.
        index: file (.npz) for the index of that corpus; written with --corpus, read without.
        temperature: temperature of sampling; 1 is the policy itself.
        lang: language of --texts, or the language that a plain model should write in. A policy with its own marks keeps its language.
        window: tokens scored in one row; 0 for 256, or for a plain model as many as its positions allow, up to 1024.
        precision: precision of matrix products that score --poems: fp32, bf16 (about 0.0001 bits off), or auto, the faster one here.
        text_column: column of a table that holds the poems, if its name does not show it.
        author_column: column of a table that names the author.
        seed: seed of sampling, resampling, and the choice of max_poems.
        threads: processor threads, 0 for all cores.
        json: print one JSON object instead of tables, for programs.
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
    sense: bool = False
    line_judge: str = "auto"
    judge_model: str | None = None
    corpus: tuple[str, ...] = ()
    index: str = ""
    temperature: float = 1.0
    lang: str | None = None
    window: int = 0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    text_column: str | None = None
    author_column: str | None = None
    seed: Seed = 0
    threads: int = 0
    json: bool = False
