"""What a model's answers are worth, and the leaderboard they go into."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from rlpoet import __version__
from rlpoet.analysis.intervals import Share, proportion_bounds
from rlpoet.corpus import Poem
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.bench.config import BenchConfig
from rlpoet.evaluation.bench.kept import KeptAnswers
from rlpoet.evaluation.bench.prompts import DATA, VERSION, BenchPrompt, bench_prompts
from rlpoet.evaluation.form import PoemFacts, poem_facts
from rlpoet.evaluation.human_baseline import Figures, figures
from rlpoet.prosody.digest import verse_version
from rlpoet.prosody.fit import guess_form, has_its_lines
from rlpoet.prosody.forms import form
from rlpoet.text import check_writable, read_object, split_poem, write_atomically
from rlpoet.types import Prompt

NAME = "rlpoet verse"
ALL = "all"
PEOPLE = "people"
RANK = "perfect_stanzas"  # the figure by which a leaderboard is sorted


class Answering(Protocol):
    """A model that is asked in words."""

    def answers(self, asked: Sequence[BenchPrompt], first: int = 0) -> Iterator[Any]:
        """The answer to each prompt, in order, as it comes.

        Args:
            first: place of the first of them in the run, on which its seed depends.
        """
        ...


def check(config: BenchConfig) -> None:
    """Refuse what cannot be run, before a model is opened or asked.

    Raises:
        RlpoetError: no model or no language, a server's model without its name, or an --out that is no leaderboard or cannot be written.
        UnknownName: a language without prompts.
    """
    if not config.model:
        raise RlpoetError("MODEL is missing; expected a folder, a name, or the address of a server. `rlpoet bench fr-tb --langs fr`, say.")
    if config.model.startswith(("http://", "https://")) and not config.name:
        raise RlpoetError(f"--name: none given for {config.model}; expected the name of the model on that server.")
    if not config.langs:
        raise RlpoetError("--langs: none given; expected some of fr, es, en.")
    for lang in config.langs:
        if config.n > len(bench_prompts(lang)):
            raise RlpoetError(f"--n: {config.n}; expected at most {len(bench_prompts(lang))}, the prompts of a language.")
    _read_board(config.out)
    for path in filter(None, (config.out, config.answers)):
        check_writable(path)


def figures_of_answers(asked: Sequence[tuple[Prompt, str]], *, seed: int = 0) -> Figures:
    """The figures of poems under the forms they were asked for.

    ``right_lines`` is the share of poems with as many lines as their form has; of the others no pair rhymes and no line is in meter. The
    rest is as in ``rlpoet.evaluation.human_baseline.figures``.

    >>> poem = "Ici gît dans la nuit sombre\\nUn poète sans nul nombre"
    >>> found = figures_of_answers([(Prompt("fr", "couplet"), poem), (Prompt("fr", "couplet"), "Voici un poème :")])
    >>> found["n"], found["right_lines"], found["rhyme_pairs"], found["lines_in_meter"]
    (2, 0.5, 0.5, 0.0)
    """
    facts: list[PoemFacts] = [poem_facts(prompt, text) for prompt, text in asked]
    found = figures(facts, seed=seed)
    if facts:
        right = [has_its_lines(split_poem(text), form(prompt.form, prompt.lang)) for prompt, text in asked]
        share = Share(np.array(right, dtype=float), np.ones(len(right)))
        found |= {"right_lines": share.value, "right_lines_95": list(proportion_bounds(share, seed=seed))}
    return found


def by_form(prompts: Sequence[tuple[str, Prompt, str]], *, seed: int) -> dict[str, Figures]:
    """Figures of each form, and of all forms together.

    Args:
        prompts: name of the form in the benchmark, what the poem is counted under, and the poem.
    """
    names = dict.fromkeys(name for name, *_ in prompts)
    groups = {name: [(asked, text) for of, asked, text in prompts if of == name] for name in names}
    groups[ALL] = [(asked, text) for _, asked, text in prompts]
    return {name: figures_of_answers(group, seed=seed) for name, group in groups.items()}


def bench(
    config: BenchConfig,
    model: Answering,
    poem_of: Callable[[Any], str],
    tick: Callable[[int, int], None] = lambda n, of: None,
) -> dict[str, Any]:
    """Ask a model, and count its answers; its row of the leaderboard. A run that was stopped goes on (``KeptAnswers``).

    Args:
        poem_of: the poem in an answer.
        tick: called with the answers so far and their number in all.

    Raises:
        UnknownName: a language without prompts.
        RlpoetError: the model cannot be asked.
    """
    prompts = [prompt for lang in dict.fromkeys(config.langs) for prompt in bench_prompts(lang)[: config.n]]
    kept = KeptAnswers(config, prompts, poem_of)
    n = len(kept.found)
    for done in kept.add(model.answers(prompts[n:], n)):
        tick(done, len(prompts))
    poems = [poem_of(answer) for answer in kept.found]
    return {
        "model": config.name or config.model,
        "n": config.n,
        "temperature": config.temperature,
        "max_tokens": config.max_tokens,
        "seed": config.seed,
        "langs": {
            lang: by_form(
                [(one.form, one.asked, poem) for one, poem in zip(prompts, poems, strict=True) if one.lang == lang], seed=config.seed
            )
            for lang in dict.fromkeys(config.langs)
        },
    }


def people(poems: Sequence[Poem], lang: str, n: int, *, seed: int) -> dict[str, Figures]:
    """The figures of poems by people in the forms of the benchmark: at most ``n`` per form, one stanza or sonnet of each poem.

    A stanza counts under the form that it keeps best, whatever its lengths, and only if it keeps it fairly well
    (``rlpoet.prosody.fit.guess_form``): what is in no form says nothing of how people keep one.
    """
    forms = [form(name, lang) for name in dict.fromkeys(one.form for one in bench_prompts(lang))]
    chosen: dict[str, list[tuple[str, Prompt, str]]] = {one.name: [] for one in forms}
    for i in np.random.default_rng(seed).permutation(len(poems)).tolist():
        for lines in [poems[i].lines, *poems[i].stanzas]:
            wanted = [one for one in forms if len(chosen[one.name]) < n]
            best = guess_form(lines, lang) if len(lines) in {one.n_lines for one in wanted} else None
            name = next((one.name for one in wanted if best and (one.scheme, one.rhyme) == (best.scheme, best.rhyme)), None)
            if best and name:
                chosen[name].append((name, Prompt(lang, best.name), "\n".join(lines)))
                break
        if all(len(own) >= n for own in chosen.values()):
            break
    return by_form([one for own in chosen.values() for one in own], seed=seed)


def shipped_people() -> dict[str, dict[str, Figures]]:
    """The figures of poems by people that come with rlpoet, by language."""
    found: dict[str, dict[str, Figures]] = json.loads((DATA / "people.json").read_text(encoding="utf-8"))["langs"]
    return found


def entered(path: str | Path, row: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, Any]:
    """Put a model's row into the leaderboard of that file, and write it. A row of the same model is replaced.

    Args:
        reference: figures of people by language, which replace those that stand there.

    Returns:
        The leaderboard: its version, the reference, and its rows, best first by perfect stanzas over all languages.

    Raises:
        RlpoetError: the file is something else, or of another version of the benchmark.
    """
    rows: list[Mapping[str, Any]] = [row]
    people_there: Mapping[str, Any] = {}
    there = _read_board(path)
    if there is not None:
        rows += [own for own in there["models"] if own["model"] != row["model"]]
        people_there = there[PEOPLE]
    board = {
        "benchmark": NAME,
        "version": VERSION,
        "rlpoet": __version__,
        "verse": verse_version()[:12],
        PEOPLE: {**people_there, **reference},
        "models": sorted(rows, key=lambda own: (-rank(own["langs"].values()), str(own["model"]))),
    }
    write_atomically(path, json.dumps(board, ensure_ascii=False, indent=1) + "\n")
    return board


def _read_board(path: str | Path) -> dict[str, Any] | None:
    """The leaderboard of a file; None without a file."""
    if not Path(path).exists():
        return None
    there = read_object(path, "a leaderboard")
    if there.get("benchmark") != NAME or there.get("version") != VERSION:
        what = f"benchmark {there.get('benchmark')!r}, version {there.get('version')!r}"
        raise RlpoetError(f"{path}: {what}; expected a leaderboard of {NAME!r}, version {VERSION}. Name another file with --out.")
    return there


def rank(langs: Iterable[Mapping[str, Any]]) -> float:
    """The mean over languages of the share of perfect stanzas.

    >>> rank([{"all": {"perfect_stanzas": 0.5}}, {"all": {"perfect_stanzas": 0.25}}])
    0.375
    """
    values = [float(figures_of[ALL].get(RANK, 0.0)) for figures_of in langs]
    return sum(values) / len(values) if values else 0.0
