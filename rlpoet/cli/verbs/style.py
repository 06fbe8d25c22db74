"""``rlpoet style``: whose verse a text sounds like, and the models that say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlpoet.config.command import Command


@dataclass(frozen=True)
class StyleConfig:
    """Say which poet a text sounds like, from its phones alone; list the poets of the model; or build models of other poets.

    `rlpoet style score FILE --lang fr` shows for every poem of a file how likely each poet is, and which features decide. `rlpoet style
    poets --lang fr` lists the poets. `rlpoet style build --lang fr --data poems.jsonl.gz --output_dir my_poets` makes a model and its card;
    `--model my_poets/style.npz` and the reward's option of that name use it.

    Attributes:
        action: score, poets or build.
        file: text with one poem or several, separated by empty lines, "-" for standard input.
        lang: fr, es or en, or another language that is installed.
        data: corpora to build from, what rlpoet corpus writes or reads.
        authors: poets to build, by full name; those with the most lines by default.
        n: number of poets, if --authors does not name them.
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
    from rlpoet.reporting.terminal import write_plain

    if config.action == "build":
        from rlpoet.analysis.authorship.files import build_files

        path = build_files(
            config.lang,
            config.data,
            config.output_dir,
            authors=config.authors,
            n=config.n,
            tell=lambda news: write_plain(f"{news}\n", stderr=True),
        )
        write_plain(f"{path}\n")
        return 0
    from rlpoet.analysis.authorship.attribution import attributions, open_poets
    from rlpoet.reporting.attributions import show_attributions
    from rlpoet.text import read_text, stanzas

    model = open_poets(config.lang, config.model)
    if config.action == "poets":
        write_plain("".join(f"{poet}\n" for poet in model.poets))
    else:
        show_attributions(attributions(stanzas(read_text(config.file)), config.lang, model), json=config.json)
    return 0


COMMAND = Command("style", "whose verse does it sound like, by its phones", StyleConfig, run, positional=("action", "file"))
