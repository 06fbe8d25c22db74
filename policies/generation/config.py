"""What ``rlpoet generate`` is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from rlpoet.config.opening import AskingOptions, OpeningOptions
from rlpoet.config.ranges import Seed

EARLIER_VALUES = {"limit": {"0": None}}  # values of an earlier release (``rlpoet.config.command.Renames``)


@dataclass(frozen=True)
class GenerateConfig(OpeningOptions, AskingOptions):
    """Write poems that keep their form, and show how they rhyme and scan.

    Poems are drawn until one is accepted: every pair rhymes, every line is in meter, every word is known, and quotes and brackets are
    closed. --raw shows the first draw.

    Attributes:
        lang: fr, es or en; by default that of the policy, or fr.
        policy: a shipped prior (fr) or rhyming policy (fr-tb), a folder, the folder of a run, or "latest", the newest run under runs/; by
            default the rhyming policy of the language.
        policy_class: class that opens it, by the name a package registered it under; by default the one its folder names, or causal-lm.
        form: the form to write.
        scheme: a scheme of your own instead of a form, such as abba or "abab cdcd".
        meter: syllables of the lines of --scheme, such as 12, "10|11", or one a line, "8 6 8 6".
        end_words: last words of the lines, one per line, as for bouts-rimés; "_" leaves a last word open. The poem is then written line by
            line, as `rlpoet complete` does.
        acrostic: first letters of the lines, one per line; the poem is written line by line, as with --end_words.
        author: author to imitate; a part of the name is enough, and "hugo:0.6,verlaine:0.4" mixes several.
        prompt: first words of the poem. If they contain a line break, the text before it is a whole line.
        opening: first lines of the poem, complete.
        theme: words that the poem should use, separated by commas.
        theme_strength: how strongly --theme acts, in nats per token of a word.
        n: number of poems.
        temperature: 1 is the policy itself, lower is safer, 0 always takes the likeliest token.
        top_k: draw only from the k likeliest tokens; 0 for all.
        top_p: draw only from the likeliest tokens whose probabilities sum to p; 1 for all tokens. In a tiny model the others mostly do not
            make words.
        beams: number of beams of a beam search for the likeliest poems; 0 samples instead.
        repetition_penalty: above 1, tokens that the poem already has become less likely.
        no_repeat_ngram: sequences of so many tokens may not occur twice in a poem; 0 for no limit.
        precision: precision of matrix products, auto, fp32 or bf16; auto takes bf16 only for 64 or more poems at once, and only if it is
            clearly faster here.
        limit: most tokens per poem; by default enough for the form.
        best_of: number of accepted poems to collect for each poem shown; the one shown has high scores, such as for lines that fit
            together, and is likely for the policy. By default 24, or fewer if they take more than 64 draws; 1 for forms of more than four
            lines, and with --raw.
        best_of_line: number of draws of each line. The likeliest draw with the right length and rhyme is kept, and then the next line is
            written. Not with --theme, --beams, --limit or --stream. 1 draws whole poems.
        raw: show poems as they are drawn, whether or not they keep their form; so do --stream, --beams and a temperature of 0.
        max_draws: largest number of draws per poem shown. If none is accepted, the best draw is shown. By default 64.
        allow_unknown: allow words that are in no lexicon; at the end of a line they still rhyme with nothing.
        stream: print each line as soon as it is written, before the scores.
        out: text file to which the poems are added, each under its prompt.
        seed: the same seed writes the same poems; by default a new one each time.
        json: print one JSON object per poem, for programs.
    """

    EARLIER_VALUES = EARLIER_VALUES

    lang: str | None = None
    policy: str | None = None
    policy_class: str | None = None
    form: str = "quatrain-abab"
    scheme: str | None = None
    meter: str | None = None
    end_words: tuple[str, ...] = ()
    acrostic: str = ""
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
    best_of: int | None = None
    best_of_line: int = 1
    raw: bool = False
    max_draws: int | None = None
    allow_unknown: bool = False
    stream: bool = False
    out: str | None = None
    seed: Seed | None = None
    json: bool = False
