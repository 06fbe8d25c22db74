"""``rlpoet style``: whose verse a text sounds like, and the models that say so."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from typing import Any, Literal

from rlpoet.command import Command
from rlpoet.errors import RlpoetError


@dataclass(frozen=True)
class StyleConfig:
    """Tell whose verse a text sounds like, by its phones alone; list the poets there are; or build models of other poets.

    `rlpoet style score FILE --lang fr` shows for every poem of a file how likely each poet is, and what gives it away.
    `rlpoet style poets --lang fr` lists the poets. `rlpoet style build --lang fr --data poems.jsonl.gz --output_dir my_poets`
    makes a model and its card; `--model my_poets/style.npz` and the reward's option of that name use it.

    Attributes:
        action: score, poets or build.
        file: text with one poem or several, parted by empty lines, "-" for standard input.
        lang: fr, es or en, or another language that is installed.
        data: corpora to build from, what rlpoet corpus writes or reads.
        authors: poets to build, by full name; those with the most lines by default.
        n: how many poets, where they are not named.
        output_dir: folder for style.npz and its card README.md.
        model: file of a model to use instead of the shipped one.
        json: one JSON object a poem, for machines.
    """

    action: Literal["score", "poets", "build"] = "score"
    file: str = "-"
    lang: str = "fr"
    data: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    n: int = 10
    output_dir: str = ""
    model: str = ""
    json: bool = False


def run(config: StyleConfig) -> int:
    if config.action == "build":
        return _build(config)
    from rlpoet.analysis.authorship.model import shipped, style_model

    model = style_model(config.lang, config.model)
    if model is None:
        held = f"{config.model} is of another language" if config.model else f"expected one of {', '.join(shipped())}"
        raise RlpoetError(f"style: no poets of {config.lang!r}; {held}. Build some with `rlpoet style build`.")
    if config.action == "poets":
        sys.stdout.writelines(f"{poet}\n" for poet in model.poets)
        return 0
    return _score(config, model)


def _score(config: StyleConfig, model: Any) -> int:
    from rich.table import Table

    from rlpoet.analysis.authorship.model import line_sounds
    from rlpoet.reporting.poems import console
    from rlpoet.text import read_text, stanzas

    out = console()
    for number, lines in enumerate(stanzas(read_text(config.file)), start=1):
        sounds = line_sounds(lines, config.lang)
        likely = model.probabilities(sounds)
        verse = sum(map(model.verselike, sounds)) / len(sounds)
        order = sorted(range(len(model.voices)), key=lambda voice: -likely[voice])
        signs = {voice: [name for name, gain in model.telling(sounds, voice)[:5] if gain > 0] for voice in order}
        if config.json:
            shares = {model.voices[voice]: round(float(likely[voice]), 4) for voice in order}
            sys.stdout.write(json.dumps({"poem": number, "verselike": round(verse, 4), "voices": shares}, ensure_ascii=False) + "\n")
            continue
        table = Table(title=f"{lines[0]} ... ({len(lines)} lines, {verse:.0%} verse)", title_justify="left")
        table.add_column("voice")
        table.add_column("likely", justify="right")
        table.add_column("what speaks for it")
        for voice in order[:5]:
            table.add_row(model.voices[voice], f"{likely[voice]:.1%}", ", ".join(signs[voice]))
        out.print(table)
    return 0


def _build(config: StyleConfig) -> int:
    from pathlib import Path

    from rlpoet.analysis.authorship.build import build_style
    from rlpoet.analysis.authorship.card import card
    from rlpoet.analysis.authorship.model import FILE
    from rlpoet.corpus.read import read_poems
    from rlpoet.text import write_atomically

    if not config.data or not config.output_dir:
        raise RlpoetError("style build: no --data or no --output_dir; expected both, as in --data poems.jsonl.gz --output_dir my_poets.")
    built = build_style(
        read_poems(config.data), config.lang, authors=config.authors, n=config.n, tell=lambda news: sys.stderr.write(f"{news}\n")
    )
    folder = Path(config.output_dir)
    built.model.save(folder / FILE)
    names = [Path(name).name for name in config.data]
    words = ["rlpoet", "style", "build", "--lang", config.lang, "--data", *names]
    words += ["--authors", *config.authors] if config.authors else ["--n", str(config.n)]
    write_atomically(folder / "README.md", card(built, shlex.join(words), (folder / FILE).stat().st_size))
    sys.stdout.write(f"{folder / FILE}\n")
    return 0


COMMAND = Command("style", "whose verse does it sound like, by its phones", StyleConfig, run, positional=("action", "file"))
