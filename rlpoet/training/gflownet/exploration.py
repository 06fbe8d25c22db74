"""Texts the policy would seldom draw: hotter ones, ones with a line drawn again or given a rhyme, other people's.

Trajectory balance holds for every text, whoever wrote it: each counts by its squared residual under the current
policy, without importance weights. They stand beside the fresh texts of a prompt, which keep the shares of on-policy training.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from rlpoet.errors import RlpoetError
from rlpoet.prosody import verse
from rlpoet.prosody.fit import form_and_lines
from rlpoet.prosody.forms import form
from rlpoet.prosody.rhyme import rhymes
from rlpoet.rollout import EndsLines, Policy, Rollout
from rlpoet.text import split_poem, stanzas
from rlpoet.types import Prompt

StanzasByForm = Mapping[str, Sequence[str]]  # form name -> stanzas


def weakest_lines(
    policy: Policy,
    fresh: Rollout,
    scores: Sequence[float],
    by_line: Sequence[Sequence[float]],
    total: Callable[[Sequence[Prompt], Sequence[str]], Sequence[float]],
    *,
    n: int,
    tries: int,
) -> tuple[Rollout | None, int]:
    """For ``n`` middling texts a prompt, the line that earns least is drawn again ``tries`` times, and the best poem kept.

    The new line is drawn after the lines before it and before those after it are read again, so it is the policy's own in half of
    its context. The lines that follow stay, so a line that answers the rhyme of a later one is found by chance, as one that answers
    an earlier one is by plan.

    Args:
        by_line: what each line of each text earns, opening lines included.
        total: scores of texts.

    Returns:
        One poem for each text taken up, None if no poem came of it, and the number of lines drawn.
    """
    texts_of: defaultdict[Prompt, list[int]] = defaultdict(list)
    for row, prompt in enumerate(fresh.prompts):
        texts_of[prompt].append(row)
    taken: list[tuple[Prompt, list[str], int]] = []
    sources: list[int] = []
    for prompt, rows in texts_of.items():
        for row in sorted((r for r in rows if scores[r] < 1.0), key=lambda r: -scores[r])[:n]:  # near misses, which one line can mend
            (target, lines, complete), given = form_and_lines(prompt, fresh.texts[row]), len(prompt.opening)
            if complete and len(by_line[row]) == target.n_lines > given:
                taken.append((prompt, lines, min(range(given, target.n_lines), key=by_line[row].__getitem__)))
                sources.append(row)
    if not taken:
        return None, 0
    longest = int((fresh.line_ends[:, 1:] - fresh.line_ends[:, :-1]).max()) if fresh.line_ends.shape[1] > 1 else 0
    openings = [Prompt(p.lang, p.form, p.author, tuple(lines[:k])) for p, lines, k in taken]
    drawn = policy.sample(openings, tries, max_new_tokens=max(longest, 8) + 4)
    asked: list[Prompt] = []
    poems: list[str] = []
    owner: list[int] = []
    for place, text in enumerate(drawn.texts):
        prompt, _, k = taken[place // tries]
        found = split_poem(text)
        if len(found) > k and (drawn.line_ends[place, :1] >= 0).any():  # cut off inside the line: nothing came of it
            asked.append(prompt)
            poems.append(_with_line(fresh.texts[sources[place // tries]], k, found[k]))
            owner.append(place // tries)
    worth = total(asked, poems) if poems else []
    best: dict[int, int] = {}
    for i, own in enumerate(owner):
        if own not in best or worth[i] > worth[best[own]]:
            best[own] = i
    kept = list(best.values())
    n_drawn = len(drawn)
    return (policy.write([asked[i] for i in kept], [poems[i] for i in kept]) if kept else None), n_drawn


class RhymeIndex:
    """End words by their sound, as they are met: what a line could have rhymed with.

    Words whose sounds are guesses are left out: a young policy invents words, and would learn them.
    """

    def __init__(self) -> None:
        self.by_key: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)  # (language, key) -> word -> word with its sign

    def hear(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> None:
        """Note the end words of poems."""
        for prompt, text in zip(prompts, texts, strict=True):
            rules = verse(prompt.lang)
            for line in split_poem(text):
                sign = line[len(line.rstrip(" .,;:!?…")) :]
                for ending in rules.endings(line)[:1]:
                    if ending.known:
                        self.by_key[prompt.lang, rules.key(ending)].setdefault(ending.word, ending.word + sign)

    def rhymes_with(self, line: str, lang: str) -> list[str]:
        """Words that rhyme fully with a line, each with the sign it was met with, in the order they were met."""
        rules = verse(lang)
        keys = dict.fromkeys(rules.key(ending) for ending in rules.endings(line))
        return [word for key in keys for word in self.by_key.get((lang, key), {}).values() if rhymes(line, word, lang)]

    def state(self) -> list[tuple[str, str, dict[str, str]]]:
        """Plain values, for a checkpoint."""
        return [(lang, key, dict(words)) for (lang, key), words in self.by_key.items()]

    def restore(self, state: Sequence[tuple[str, str, dict[str, str]]]) -> None:
        """Take up what ``state`` gave."""
        self.by_key.clear()
        self.by_key.update({(lang, key): dict(words) for lang, key, words in state})


def proposed_rhymes(
    policy: Policy, prior: Policy, fresh: Rollout, scores: Sequence[float], book: RhymeIndex, *, n: int, rng: random.Random, most: int = 16
) -> tuple[Rollout | None, int]:
    """For up to ``n`` texts a prompt, a line that misses its rhyme is written again from a word that has it.

    The word is drawn from those the book holds, by the odds the frozen prior gives it as the end of that line; then the policy writes the
    line from it. Only policies that write lines from their end can.

    Args:
        most: words the prior chooses among.

    Returns:
        One poem for each line that came of it, None if there is none, and the number of lines drawn.
    """
    if not isinstance(policy, EndsLines):
        return None, 0
    broken: list[tuple[int, Prompt, list[str]]] = []
    n_of: defaultdict[Prompt, int] = defaultdict(int)
    for row in sorted(range(len(fresh)), key=lambda r: -scores[r]):  # near misses first
        prompt = fresh.prompts[row]
        asked, lines, complete = form_and_lines(prompt, fresh.texts[row])
        if n_of[prompt] >= n or not complete:
            continue
        for early, late in asked.pairs:
            words = book.rhymes_with(lines[early], prompt.lang)
            if late >= len(prompt.opening) and words and not rhymes(lines[early], lines[late], prompt.lang):
                opening = Prompt(prompt.lang, prompt.form, prompt.author, tuple(lines[:late]))
                broken.append((row, opening, rng.sample(words, min(most, len(words)))))
                n_of[prompt] += 1
                break
    if not broken:
        return None, 0
    pairs = [(opening, word) for _, opening, words in broken for word in words]
    ended = prior.write([p for p, _ in pairs], ["\n".join([*p.opening, word]) for p, word in pairs])
    with torch.no_grad():
        log_p = prior.log_prob(ended).cpu()
    stop = ended.n_tokens + ended.chosen.float().argmax(1) - 1  # where END stands: the poem is not over, so it is no part of the odds
    odds = iter((log_p.sum(1) - log_p.gather(1, stop[:, None]).squeeze(1)).tolist())
    picks: list[str] = []
    for _, _, words in broken:
        own = [next(odds) for _ in words]
        picks += rng.choices(words, weights=[math.exp(x - max(own)) for x in own])
    written = policy.lines_ending([opening for _, opening, _ in broken], picks)
    if written is None:
        return None, 0
    kept = [(row, len(opening.opening), line) for (row, opening, _), line in zip(broken, written, strict=True) if line]
    texts = [_with_line(fresh.texts[row], k, line) for row, k, line in kept]
    return (policy.write([fresh.prompts[row] for row, _, _ in kept], texts) if kept else None), len(broken)


def _with_line(text: str, k: int, line: str) -> str:
    """A poem with its k-th line, blank ones not counted, replaced; stanza breaks stay."""
    raw = text.split("\n")
    raw[[i for i, kept in enumerate(raw) if kept.strip()][k]] = line
    return "\n".join(raw)


def human_stanzas(policy: Policy, stanzas_by_form: StanzasByForm, prompts: Sequence[Prompt], n: int, rng: random.Random) -> Rollout | None:
    """``n`` stanzas of the prompt's form for each prompt without an opening, as if the policy had written them; None if there are none."""
    asked = [p for p in prompts if not p.opening and stanzas_by_form.get(p.form)]
    rows = [(p, text) for p in asked for text in rng.sample(list(stanzas_by_form[p.form]), min(n, len(stanzas_by_form[p.form])))]
    return policy.write([p for p, _ in rows], [text for _, text in rows]) if rows else None


def read_stanzas(path: str | Path, forms: Sequence[str], lang: str) -> dict[str, list[str]]:
    """Stanzas of a text file, a blank line between two, by the forms they have the lines for.

    Raises:
        RlpoetError: the file cannot be read, or has no stanza of any of the forms' lengths.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RlpoetError(f"--tb.explore_file {path}: cannot be read ({error}); expected a text file in UTF-8.") from None
    blocks = stanzas(text)
    stanzas_by_form: dict[str, list[str]] = {}
    for name in forms:
        sizes = [len(part) for part in form(name, lang).scheme.split(" ")]
        runs = [blocks[i : i + len(sizes)] for i in range(len(blocks))]
        stanzas_by_form[name] = ["\n\n".join("\n".join(block) for block in run) for run in runs if [len(block) for block in run] == sizes]
    if not any(stanzas_by_form.values()):
        raise RlpoetError(
            f"--tb.explore_file {path}: {len(blocks)} stanzas, none with the lines of {', '.join(forms)}; expected those of a form. "
            "Put blank lines between stanzas."
        )
    return stanzas_by_form
