"""What ``rlpoet generate`` is asked for."""

from __future__ import annotations

from dataclasses import dataclass

EARLIER_VALUES = {"limit": {0: None}}  # values of an earlier release (``rlpoet.command.Renames``)


@dataclass(frozen=True)
class GenerateConfig:
    """Write poems and show how they rhyme and scan.

    Attributes:
        lang: fr, es or en; by default that of the policy, or fr.
        policy: a shipped prior (fr) or rhyming policy (fr-tb), the folder of one or of a run, or "latest", the newest under runs/; by
            default the rhyming policy of the language.
        form: the form to write.
        author: in whose manner; part of a name will do, and "hugo:0.6,verlaine:0.4" fuses several.
        prompt: words the poem begins with; line breaks in it make whole lines of what stands before them.
        opening: whole lines the poem begins with.
        theme: words called into the poem, separated by commas.
        theme_strength: how much, in nats a piece of a word.
        n: number of poems.
        temperature: 1 is the policy itself, lower is safer, 0 always takes the likeliest token.
        top_k: only the k likeliest tokens, 0 for all.
        top_p: only the likeliest tokens that make up p; what lies beyond, in a tiny model, is mostly no word. 1 for all.
        beams: the likeliest poems a search of so many beams finds, instead of drawn ones; 0 draws.
        repetition_penalty: above 1 shuns pieces the poem already has.
        no_repeat_ngram: no run of so many pieces twice in a poem, 0 for no limit.
        precision: auto, fp32 or bf16, of the matrix products; auto takes bf16 for 64 poems and more at once where it is clearly faster on
            this machine, and fp32 else.
        limit: most tokens per poem; by default enough for the form.
        best_of: write so many for each poem shown, and show the one that scores best.
        stream: print every line as soon as it is written, before the scores.
        out: text file to which the poems are added, each under its prompt.
        seed: the same seed writes the same poems; by default a new one each time.
        json: one JSON object a poem, for machines.
    """

    EARLIER_VALUES = EARLIER_VALUES

    lang: str | None = None
    policy: str | None = None
    form: str = "quatrain-abab"
    author: str | None = None
    prompt: str = ""
    opening: tuple[str, ...] = ()
    theme: str = ""
    theme_strength: float = 4.0
    n: int = 1
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 0.95
    beams: int = 0
    repetition_penalty: float = 1.0
    no_repeat_ngram: int = 0
    limit: int | None = None
    precision: str = "auto"
    best_of: int = 1
    stream: bool = False
    out: str | None = None
    seed: int | None = None
    json: bool = False
