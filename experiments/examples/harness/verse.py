"""``rlpoet bench`` as tasks of the LM evaluation harness: the same prompts, the same figures.

The harness finds these functions by the ``!function`` entries of the YAML files beside this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from datasets import Dataset

from rewards.adapters.completions import poem_of
from rlpoet.evaluation.bench import bench_prompts
from rlpoet.evaluation.form import poem_facts
from rlpoet.prosody.fit import has_its_lines
from rlpoet.prosody.forms import form
from rlpoet.text import split_poem
from rlpoet.types import Prompt


def prompts(lang: str, **metadata: Any) -> dict[str, Dataset]:
    """The 200 prompts of a language, in the benchmark's order: the forms come in turn, so that ``--limit 20`` is balanced.

    Args:
        lang: ``fr``, ``es`` or ``en``, from the task's YAML file.
        metadata: what the harness adds; not used.
    """
    rows = [{"lang": one.lang, "form": one.form, "theme": one.theme, "text": one.text} for one in bench_prompts(lang)]
    return {"test": Dataset.from_list(rows)}


def figures(doc: Mapping[str, str], results: list[str]) -> dict[str, float | tuple[int, int]]:
    """What one answer adds to the figures of ``rlpoet bench``.

    Args:
        doc: a row of ``prompts``.
        results: the one answer.

    Returns:
        ``perfect_stanzas`` and ``right_lines`` are 0 or 1; ``rhyme_pairs`` and ``lines_in_meter`` are right ones and all, for ``ratio``.
        All are 0 in a poem with another number of lines than its form.

    >>> couplet = "Ici gît dans la nuit sombre\\nUn poète sans nul nombre"
    >>> found = figures({"lang": "fr", "form": "couplet"}, [couplet])
    >>> found["right_lines"], found["rhyme_pairs"], found["lines_in_meter"]
    (1.0, (1, 1), (0, 2))
    """
    asked, poem = Prompt(doc["lang"], doc["form"]), poem_of(results[0])
    facts = poem_facts(asked, poem)
    return {
        "perfect_stanzas": float(facts.perfect),
        "right_lines": float(has_its_lines(split_poem(poem), form(asked.form, asked.lang))),
        "rhyme_pairs": (facts.rhymed, facts.pairs),
        "lines_in_meter": (facts.in_meter, facts.lines),
    }


def ratio(counts: Iterable[tuple[int, int]]) -> float:
    """Right ones over all, counted over all poems, so that a sonnet weighs more than a couplet.

    >>> ratio([(1, 1), (0, 7)])
    0.125
    """
    right, of = (sum(column) for column in zip(*counts, strict=True))
    return right / of
