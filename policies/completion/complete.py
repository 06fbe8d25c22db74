"""Fill the gaps of a poem so that every new line keeps the form: draw lines after what is given, keep those that fit, rank them.

A gap is filled by rejection: the policy draws lines after the lines before, with the sound, the last words and the length that are asked
for, and a line is kept if it fits by the rules of verse. First words are put before the end of a drawn line, since a policy that writes
from the end cannot continue them. What fits is ranked by how likely the policy finds it between its neighbours, and by how well the lines
go together (``rlpoet.analysis.coherence``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from policies.causal_lm import CausalPolicy
from policies.completion.drafts import Draft
from policies.completion.filler import Filler, Wishes
from policies.completion.gaps import Line, Part, contradiction, parts_of, read_line, split_rows, with_acrostic
from policies.completion.shape import too_long
from rlpoet.analysis.coherence import coherence
from rlpoet.errors import RlpoetError
from rlpoet.prosody.ending import end_of
from rlpoet.prosody.forms import form
from rlpoet.prosody.meter import length_of

__all__ = ["Completion", "Wishes", "complete"]


@dataclass(frozen=True)
class Completion:
    """A poem with its gaps filled.

    Attributes:
        text: the poem; what was given is as it was, byte for byte.
        filled: number of each line that was written, from 1, and its text.
        unfilled: number of each gap that stays, and what the line would have had to be.
        forms: of the parts that rhyme among themselves, in their order.
        log_prob: of the lines that were written and of the given lines after them, nats per character.
        coherence: how well the lines go together, mean over the parts, in [0, 1]; None where nothing can be said.
        draws: lines drawn for it and the other proposals.
    """

    text: str
    filled: tuple[tuple[int, str], ...]
    unfilled: tuple[tuple[int, str], ...]
    forms: tuple[str, ...]
    log_prob: float
    coherence: float | None
    draws: int


def _ticked(tick: Callable[[int], object], before: int, n: int) -> object:
    """Tell of the gaps of a part, after those of the parts before it."""
    return tick(before + n)


def complete(
    policy: CausalPolicy,
    text: str,
    *,
    asked: str | None = None,
    length: int | None = None,
    acrostic: str = "",
    wishes: Wishes | None = None,
    tick: Callable[[int], object] = lambda done: None,
) -> list[Completion]:
    """Proposals for the gaps of a poem, the best first.

    Args:
        policy: one that writes lines from their end, such as the shipped ones. Its language is that of the poem.
        text: the poem; ``policies.completion.gaps`` says how gaps are marked.
        asked: the form of the whole poem, by name or as ``scheme/lengths``; by default each part has the one its given lines keep.
        length: metrical syllables of every line, where no form is asked for.
        acrostic: letters with which the lines have to begin.
        tick: called with the number of gaps that are done.

    Raises:
        RlpoetError: no gap, a policy that writes forward, a form of another number of lines, or given ends that do not keep it.
        UnknownName: no such form.
    """
    wishes = wishes or Wishes()
    if getattr(policy.format, "order", "forward") != "backward":
        raise RlpoetError("complete: this policy writes lines forward; expected one that writes them from their end, such as fr, es or en.")
    lang = policy.lang
    rows = split_rows(text)
    bodies = [row.rstrip("\r\n") for row in rows]
    places = [n for n, body in enumerate(bodies) if body.strip()]
    lines = [read_line(bodies[n]) for n in places]
    if acrostic:
        lines = with_acrostic(lines, acrostic)
    if not any(line.gap for line in lines):
        raise RlpoetError("complete: no gap; expected a line of _, a line such as `_ nuit` that has its end, or `Ô temps _` its beginning.")
    stanzas: list[list[Line]] = [[]]
    for n, (place, line) in enumerate(zip(places, lines, strict=True)):
        if n and place > places[n - 1] + 1:
            stanzas.append([])
        stanzas[-1].append(line)
    parts = parts_of(stanzas, lang, asked=form(asked, lang) if asked else None, length=length)
    proposals: list[list[Draft]] = []
    draws = done = 0
    for part in parts:
        if (pair := contradiction(part.lines, part.form)) is not None:
            i, j = (part.at[n] + 1 for n in pair)
            raise RlpoetError(
                f"lines {i} and {j} do not rhyme, and the scheme {part.form.scheme!r} asks for it; expected other ends, or another scheme."
            )
        filler = Filler(policy, part, wishes)
        proposals.append(filler.fill(functools.partial(_ticked, tick, done)))
        draws += filler.draws
        done += sum(line.gap for line in part.lines)
    out = []
    for k in range(min(wishes.n, max(map(len, proposals)))):
        chosen = [drafts[min(k, len(drafts) - 1)] for drafts in proposals]
        out.append(_completion(rows, places, lines, parts, chosen, lang, draws))
    return out


def _completion(
    rows: Sequence[str], places: Sequence[int], lines: Sequence[Line], parts: Sequence[Part], drafts: Sequence[Draft], lang: str, draws: int
) -> Completion:
    out, filled, unfilled = list(rows), [], []
    for part, draft in zip(parts, drafts, strict=True):
        for at, line, text in zip(part.at, part.lines, draft.lines, strict=True):
            if not line.gap:
                continue
            if text is None:
                unfilled.append((at + 1, _wanted(part, draft, at, lang)))
                continue
            row = rows[places[at]]
            out[places[at]] = line.indent + text + row[len(row.rstrip("\r\n")) :]
            filled.append((at + 1, text))
    scores = [coherence([own for own in draft.lines if own is not None], lang) for draft in drafts]
    told = [score for score in scores if score is not None]
    n_characters = sum(draft.n_characters for draft in drafts)
    return Completion(
        text="".join(out),
        filled=tuple(filled),
        unfilled=tuple(unfilled),
        forms=tuple(part.form.name for part in parts),
        log_prob=sum(draft.log_p for draft in drafts) / n_characters if n_characters else 0.0,
        coherence=sum(told) / len(told) if told else None,
        draws=draws,
    )


def _wanted(part: Part, draft: Draft, at: int, lang: str) -> str:
    """What a line that was not found would have had to be, in words."""
    n = part.at.index(at)
    asked = [f"{' or '.join(map(str, part.form.meters[n]))} syllables"] if part.form.meters[n] else []
    start = part.lines[n].start
    if too_long(start, part.form.meters[n], lang):
        asked[0] += f" (its first words have {length_of(start, lang)})"
    ends = [own if own is not None else line.end for own, line in zip(draft.lines, part.lines, strict=True)]
    mates = [end for m, end in enumerate(ends) if end and m != n and part.form.letters[m] == part.form.letters[n] != "x"]
    asked += [f"a rhyme with {end_of(mates[0], lang).word!r}"] if mates else []
    asked += [f"{part.lines[n].letters!r} at its beginning"] if part.lines[n].letters else []
    return ", ".join(asked) or "a line"
