"""What ``rlpoet complete`` is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from rlpoet.config.ranges import Count, NonNegative, Options, ShareAboveZero


@dataclass(frozen=True)
class CompleteConfig(Options):
    """Fill the gaps of a poem, so that every new line has the right rhyme and length. Your own text stays as it is.

    "_" is a whole line to write, "_ nuit" a line that ends in nuit, "Sous le pont _" a line that begins so, "L_" a line that begins with L.
    Without --form and --scheme, each stanza (each poem of up to 14 lines) gets the form that its given lines keep.

    Examples: `rlpoet complete poem.txt --lang fr -n 3`, `rlpoet complete - --lang es --scheme abba --meter 11`,
    `rlpoet complete bouts-rimes.txt --lang fr --form sonnet --json`.

    Attributes:
        file: text of one poem with gaps, "-" for standard input.
        lang: fr, es or en; by default that of the policy, or fr.
        policy: a shipped policy (fr, fr-tb), a folder, the folder of a run, or "latest"; it has to write lines from their end. By default
            the rhyming policy of the language.
        form: form of the whole poem; lines that it repeats are copied.
        scheme: a scheme of your own instead of a form, such as abba or "abab cdcd".
        meter: syllables of the lines, such as 12, "10|11", or one a line with --scheme, "8 6 8 6".
        acrostic: first letters of the lines, one per line.
        author: author to imitate; a part of the name is enough.
        n: number of proposals; the best comes first.
        temperature: 1 is the policy itself, lower values are safer.
        top_p: only the likeliest tokens whose probabilities sum to p.
        max_draws: largest number of lines drawn per gap.
        allow_unknown: allow words that are in no lexicon.
        seed: the same seed gives the same proposals; by default a new one each time.
        json: print one JSON object per proposal.
    """

    file: str
    lang: str | None = None
    policy: str | None = None
    form: str | None = None
    scheme: str | None = None
    meter: str | None = None
    acrostic: str = ""
    author: str | None = None
    n: Count = 1
    temperature: NonNegative = 1.0
    top_p: ShareAboveZero = 0.95
    max_draws: Count = 256
    allow_unknown: bool = False
    seed: int | None = None
    json: bool = False
