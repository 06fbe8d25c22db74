"""The poems to be measured: sampled from a policy, found in files, or by people, each with the form it is held to."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlpoet.corpus import Columns, Poem, select
from rlpoet.corpus.poem import printed
from rlpoet.corpus.read import poems_of
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.human_baseline import human_stanzas
from rlpoet.prosody.fit import guess_form
from rlpoet.prosody.forms import form, forms
from rlpoet.text import split_poem
from rlpoet.types import Form, Prompt

TOGETHER = 64  # poems sampled side by side
LABEL = re.compile(r"#\s+(\S+) ([\w-]+)(?=,|$)")  # what `rlpoet generate --out` writes above a poem


@dataclass(frozen=True)
class EvaluationPoem:
    """One poem, what was asked of it, and the form it is counted under.

    Attributes:
        source: the poem it was cut from, where it is of a corpus.
    """

    prompt: Prompt
    lines: tuple[str, ...]
    group: str
    source: Poem | None = None

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def sampled_evaluation_poems(
    policy: Any, asked: Sequence[Form], n: int, authors: Sequence[str], *, temperature: float, tick: Callable[[int], None]
) -> list[EvaluationPoem]:
    """``n`` poems a form, in the manner of each author in turn, or of nobody."""
    found: list[EvaluationPoem] = []
    for wanted in asked:
        prompts = [Prompt(policy.lang, wanted.name, author) for author in authors or [None]]  # type: ignore[list-item]
        own: list[EvaluationPoem] = []
        for number, prompt in enumerate(prompts):
            share = n * (number + 1) // len(prompts) - n * number // len(prompts)
            while share:
                texts = policy.sample([prompt], min(TOGETHER, share), temperature=temperature).texts
                own += [EvaluationPoem(prompt, tuple(split_poem(text)), wanted.name) for text in texts]
                share -= len(texts)
                tick(len(found) + len(own))
        found += own
    return found


def human_evaluation_poems(poems: Sequence[Poem], lang: str, asked: Sequence[Form], n: int, *, seed: int) -> list[EvaluationPoem]:
    """Stanzas by people, at most ``n`` a form, each held to the form of its scheme and lines that it keeps best."""
    stanzas = [(lines, poem) for poem in poems for lines in _units(poem, asked)]
    found = []
    for group, chosen in human_stanzas([lines for lines, _ in stanzas], lang, asked, n, seed=seed).items():
        found += [
            EvaluationPoem(Prompt(lang, name, stanzas[i][1].author), tuple(stanzas[i][0]), group, stanzas[i][1]) for i, name in chosen
        ]
    return found


def read_evaluation_poems(
    paths: Sequence[str], lang: str, asked: Sequence[Form], *, columns: Columns, where: str = ""
) -> tuple[list[EvaluationPoem], int]:
    """Poems of text files, tables, folders and runs; a poem that is there twice counts twice.

    A run's ``after.json`` (or ``before.json``, or the run's folder) and what ``rlpoet generate --out`` wrote say what was asked. Of other
    texts each stanza is held to the form it keeps best, of ``asked`` where there are any; one of another number of lines than those all
    have fails the first of them. Without ``asked`` a stanza whose number of lines no form has is left out.

    Returns:
        The poems, and how many stanzas were left out.

    Raises:
        RlpoetError: nothing to be measured.
    """
    found: list[EvaluationPoem] = []
    left_out = 0
    for path in paths:
        prompted = _of_run(Path(path), lang)
        if prompted is not None:
            found += prompted
            continue
        for poem in select(list(poems_of(path, columns=columns)), where):
            label, poem = _label(poem, lang)
            shown = printed(poem, lang)
            if label is not None:
                found.append(EvaluationPoem(Prompt(lang, label), shown.lines, label, shown))
                continue
            for lines in _units(shown, asked or [own for own in forms(lang) if " " in own.scheme]):
                best = guess_form(lines, lang, among=asked or None, least=0.0)
                name = best.name if best else asked[0].name if asked else ""
                left_out += not name
                found += [EvaluationPoem(Prompt(lang, name, shown.author), lines, name, shown)] if name else []
    if not found:
        raise RlpoetError(f"--texts {' '.join(paths)}: no stanza that a form fits; expected poems, or --forms to hold them to.")
    return found, left_out


def _of_run(path: Path, lang: str) -> list[EvaluationPoem] | None:
    """Poems with their prompts as a run keeps them; None where that is not what the path is."""
    path = path / "after.json" if (path / "after.json").is_file() else path
    if path.suffix != ".json" or not path.is_file():
        return None
    item = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(item, dict) or not {"prompts", "texts"} <= set(item):
        return None
    found = []
    for told, text in zip(item["prompts"], item["texts"], strict=True):
        if told["lang"] != lang:
            raise RlpoetError(f"{path}: poems in {told['lang']!r}; expected {lang!r}. Set --lang {told['lang']}.")
        name = form(told["form"], lang).name
        found.append(
            EvaluationPoem(Prompt(lang, name, told.get("author"), tuple(told.get("opening") or ())), tuple(split_poem(text)), name)
        )
    return found


def _label(poem: Poem, lang: str) -> tuple[str | None, Poem]:
    """The form a line above the poem says, and the poem without that line."""
    first = poem.lines[0] if poem.lines else ""
    if not first.startswith("#"):
        return None, poem
    stanzas = tuple(own for own in (poem.stanzas[0][1:], *poem.stanzas[1:]) if own)
    match = LABEL.match(first)
    name = match[2] if match and match[1] == lang and match[2] in {own.name for own in forms(lang)} else None
    return name, Poem(stanzas, poem.author, poem.title)


def _units(poem: Poem, asked: Sequence[Form]) -> Iterator[tuple[str, ...]]:
    """The whole poem where it keeps a form of several stanzas, else its stanzas."""
    long = [own for own in asked if " " in own.scheme]
    if long and guess_form(poem.lines, long[0].lang, among=long) is not None:  # one poem, not so many stanzas
        yield poem.lines
    else:
        yield from poem.stanzas
