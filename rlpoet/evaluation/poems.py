"""The poems to evaluate: sampled from a policy, read from files, or by people, each with the form it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlpoet.corpus import Columns, Poem, select
from rlpoet.corpus.headings import form_of_heading
from rlpoet.corpus.poem import printed
from rlpoet.corpus.read import poems_of
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.human_baseline import human_stanzas
from rlpoet.prosody.fit import guess_form
from rlpoet.prosody.forms import form, forms, unwritable
from rlpoet.text import read_object, split_poem
from rlpoet.types import Form, Prompt

TOGETHER = 64  # poems sampled side by side


@dataclass(frozen=True)
class EvaluationPoem:
    """One poem, its prompt, and the form under which it is counted.

    Attributes:
        source: the poem of a corpus that it was cut from, if any.
    """

    prompt: Prompt
    lines: tuple[str, ...]
    group: str
    source: Poem | None = None

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def sampled_evaluation_poems(
    policy: Any, of_forms: Sequence[Form], n: int, authors: Sequence[str], *, temperature: float, tick: Callable[[int], None]
) -> list[EvaluationPoem]:
    """``n`` poems per form, spread over the authors, or without an author."""
    poems: list[EvaluationPoem] = []
    for poem_form in of_forms:
        prompts = [Prompt(policy.lang, poem_form.name, author) for author in authors or [None]]  # type: ignore[list-item]
        form_poems: list[EvaluationPoem] = []
        for number, prompt in enumerate(prompts):
            share = n * (number + 1) // len(prompts) - n * number // len(prompts)
            while share:
                texts = policy.sample([prompt], min(TOGETHER, share), temperature=temperature).texts
                form_poems += [EvaluationPoem(prompt, tuple(split_poem(text)), poem_form.name) for text in texts]
                share -= len(texts)
                tick(len(poems) + len(form_poems))
        poems += form_poems
    return poems


def human_evaluation_poems(poems: Sequence[Poem], lang: str, of_forms: Sequence[Form], n: int, *, seed: int) -> list[EvaluationPoem]:
    """Stanzas by people, at most ``n`` per form, each compared with the form that it keeps best."""
    stanzas = [(lines, poem) for poem in poems for lines in _units(poem, of_forms)]
    chosen_poems = []
    for group, chosen in human_stanzas([lines for lines, _ in stanzas], lang, of_forms, n, seed=seed).items():
        chosen_poems += [
            EvaluationPoem(Prompt(lang, name, stanzas[i][1].author), tuple(stanzas[i][0]), group, stanzas[i][1]) for i, name in chosen
        ]
    return chosen_poems


def read_evaluation_poems(
    paths: Sequence[str], lang: str, of_forms: Sequence[Form], *, columns: Columns, where: str = ""
) -> tuple[list[EvaluationPoem], int]:
    """Poems of text files, tables, folders and runs; a poem that occurs twice counts twice.

    The prompts are known for a run's ``after.json`` (or ``before.json``, or the run's folder), and the forms for a file by
    ``rlpoet generate --out``. A stanza of any other text is compared with the form that it keeps best, among ``of_forms`` if there are
    any. If none of these has its number of lines, it fails the first of them. Without ``of_forms`` such a stanza is left out.

    Returns:
        The poems, and how many stanzas were left out.

    Raises:
        RlpoetError: there is no poem to measure.
    """
    evaluation_poems: list[EvaluationPoem] = []
    left_out = 0
    for path in paths:
        prompted = _of_run(Path(path), lang)
        if prompted is not None:
            evaluation_poems += prompted
            continue
        for poem in select(list(poems_of(path, columns=columns)), where):
            label = _label(poem, lang)
            normalized = printed(poem, lang)
            if label is not None:
                evaluation_poems.append(EvaluationPoem(Prompt(lang, label), normalized.lines, label, normalized))
                continue
            for lines in _units(
                normalized, of_forms or [own for own in forms(lang) if " " in own.scheme and own.pairs and not unwritable(own)]
            ):
                best = guess_form(lines, lang, among=of_forms or None, least=0.0)
                name = best.name if best else of_forms[0].name if of_forms else ""
                left_out += not name
                evaluation_poems += [EvaluationPoem(Prompt(lang, name, normalized.author), lines, name, normalized)] if name else []
    if not evaluation_poems:
        raise RlpoetError(f"--texts {' '.join(paths)}: no stanza that a form fits; expected poems, or --forms to hold them to.")
    return evaluation_poems, left_out


def _of_run(path: Path, lang: str) -> list[EvaluationPoem] | None:
    """The poems of a run with their prompts; None if the path is not a run or its file."""
    path = path / "after.json" if (path / "after.json").is_file() else path
    if path.suffix != ".json" or not path.is_file():
        return None
    try:
        item = read_object(path, "poems")
    except RlpoetError:
        return None  # whoever reads it as a corpus says what is wrong
    if not {"prompts", "texts"} <= set(item):
        return None
    try:
        return _prompted(item, path, lang)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RlpoetError(f"{path}: damaged ({error!s:.80}); expected the poems of a run, each with its prompt.") from None


def _prompted(item: Mapping[str, Any], path: Path, lang: str) -> list[EvaluationPoem]:
    poems = []
    for prompt, text in zip(item["prompts"], item["texts"], strict=True):
        if prompt["lang"] != lang:
            raise RlpoetError(f"{path}: poems in {prompt['lang']!r}; expected {lang!r}. Set --lang {prompt['lang']}.")
        name = form(prompt["form"], lang).name
        poems.append(
            EvaluationPoem(Prompt(lang, name, prompt.get("author"), tuple(prompt.get("opening") or ())), tuple(split_poem(text)), name)
        )
    return poems


def _label(poem: Poem, lang: str) -> str | None:
    """The form that the heading of a poem by ``rlpoet generate --out`` names."""
    return labelled_form(poem.columns.get("heading", ""), lang)


def labelled_form(heading: str, lang: str) -> str | None:
    """The form that a heading by ``rlpoet generate --out`` names; None if it names none of this language.

    >>> labelled_form("# es quatrain-abab, temperature 1, seed 3", "es"), labelled_form("# Soneto", "es")
    ('quatrain-abab', None)
    """
    found = form_of_heading(heading)
    return found[1] if found and found[0] == lang else None


def _units(poem: Poem, of_forms: Sequence[Form]) -> Iterator[tuple[str, ...]]:
    """The whole poem if it keeps a form of several stanzas, else its stanzas."""
    long = [long_form for long_form in of_forms if " " in long_form.scheme]
    if long and guess_form(poem.lines, long[0].lang, among=long) is not None:  # one poem, not so many stanzas
        yield poem.lines
    else:
        yield from poem.stanzas
