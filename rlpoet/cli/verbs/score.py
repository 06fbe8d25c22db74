"""``rlpoet score``: a poem held against its form, with reasons line by line."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from rlpoet.config.command import Command
from rlpoet.errors import RlpoetError


@dataclass(frozen=True)
class ScoreConfig:
    """Show a poem's rhymes and syllables, and why each line gets its score.

    Attributes:
        file: text with one poem, or several under headings (# ...) or of the same form, "-" for standard input; or the poems of a table,
            TEI, JSON Lines or a folder, as rlpoet corpus reads them.
        lang: fr, es or en, a variety such as es-distincion, or the folder of a language.
        form: the form to check the poem against; without it, the form is found from the whole poem and marked as guessed.
        scheme: a scheme of your own to check the poem against, such as aaba or "abba abba cde cde"; capitals are refrains.
        meter: line lengths for --scheme, such as 12, "10|11", or one per line, "8 6 8 6"; without it any length is allowed.
        known_only: give no score for words that are in no lexicon, as in training. Without this option they are accepted, since poems by
            people have names.
        json: one JSON object a poem instead, for machines.
    """

    file: str
    lang: str
    form: str | None = None
    scheme: str | None = None
    meter: str | None = None
    known_only: bool = False
    json: bool = False


def run(config: ScoreConfig) -> int:
    from rlpoet.analysis.lexicon.which import warning
    from rlpoet.evaluation.score import score_file
    from rlpoet.reporting.poems import console, poem_text
    from rlpoet.reporting.terminal import write_plain, write_row

    if config.scheme is not None and config.form is not None:
        raise RlpoetError("--scheme: given with --form; expected one of them.")
    if config.meter is not None and config.scheme is None:
        raise RlpoetError("--meter: given without --scheme; expected both, such as --scheme aaba --meter 10.")
    if config.scheme is not None and ("/" in config.scheme or "/" in (config.meter or "")):
        raise RlpoetError("--scheme, --meter: a / in them; expected letters, and syllables such as 10|11.")
    form = config.form if config.scheme is None else f"{config.scheme}/{config.meter or ''}"
    poems = score_file(config.file, config.lang, form, known_only=config.known_only)
    if told := warning([line for poem in poems for line in poem.lines], config.lang):
        write_plain(told + "\n", stderr=True)
    if config.json:
        for poem in poems:
            write_row(dataclasses.asdict(poem))
        return 0
    out = console()
    for i, poem in enumerate(poems):
        if i:
            out.print()
        out.print(poem_text(poem, reasons=True))
    return 0


COMMAND = Command("score", "a poem with its scheme, its counts, and why each line scores", ScoreConfig, run, positional=("file",))
