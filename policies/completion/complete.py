"""Fill the gaps of a poem so that every new line keeps the form: draw lines after what is given, keep those that fit, rank them.

A gap is filled by rejection: the policy draws lines after the lines before, with the sound, the last words and the length that are asked
for, and a line is kept if it fits by the rules of verse. First words are put before the end of a drawn line, since a policy that writes
from the end cannot continue them. What fits is ranked by how likely the policy finds it between its neighbours, and by how well the lines
go together (``rlpoet.analysis.coherence``).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from policies.causal_lm import CausalPolicy
from policies.completion.draws import draw_lines, weigh
from policies.completion.gaps import USUAL, Line, Part, begins_with, capitals, contradiction, parts_of, read_line, split_rows, with_acrostic
from policies.decoding.sampler import Decoding
from policies.formats.verse import NO_KEY, VerseFormat
from rlpoet.analysis.coherence import coherence, theme_model
from rlpoet.analysis.lexicon import known, unknown_words, words
from rlpoet.analysis.rhyme_dictionary import KINDS
from rlpoet.analysis.rhyme_dictionary import words as rhyming_words
from rlpoet.errors import RlpoetError
from rlpoet.languages import code_of
from rlpoet.prosody.annotate import tail_keys
from rlpoet.prosody.ending import end_of
from rlpoet.prosody.fit import keeps_apart
from rlpoet.prosody.forms import answers, form, unwritable
from rlpoet.prosody.meter import in_meter, length_of
from rlpoet.text import canonical, unclosed
from rlpoet.types import Form, Prompt

SIGNS = ' .,;:!?…»”"—-)'  # at the end of a line
BATCH = 32  # lines drawn at once
MAX_DRAWS = 256  # by default, per gap
POOL = 12  # lines that fit, among which the best are chosen
WEIGHED = 64  # most lines that are weighed at once
STARTS = 20  # words that are tried for a letter that a line has to begin with
ENDS = 60  # the commonest rhyming words that are tried as last words where the policy finds none


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


@dataclass(frozen=True)
class Draft:
    """The lines of a part so far, None for a gap, and the log-probability of what was chosen."""

    lines: tuple[str | None, ...]
    log_p: float = 0.0
    n_characters: int = 0


@dataclass(frozen=True)
class Wishes:
    """How gaps are filled.

    Attributes:
        n: proposals.
        max_draws: most lines drawn per gap.
        temperature, top_p: of the draws.
        author: whose manner, by a name that the policy knows.
        allow_unknown: let words be in no lexicon.
    """

    n: int = 1
    max_draws: int = MAX_DRAWS
    temperature: float = 1.0
    top_p: float = 0.95
    author: str | None = None
    allow_unknown: bool = False


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


class Filler:
    """Fills the gaps of one part, one after the other from the first, in several drafts at once."""

    def __init__(self, policy: CausalPolicy, part: Part, wishes: Wishes) -> None:
        self.policy, self.part, self.wishes = policy, part, wishes
        self.lang, self.form = policy.lang, part.form
        self.draws = 0
        self.stand_ins: dict[
            int, str
        ] = {}  # for a line that was not found, one that does not fit, so that the lines after it have one before
        self.prompt_form = _writable(part, self.lang)
        self.meters = form(self.prompt_form, self.lang).meters
        self.capitals = capitals(part.lines)
        self.given = "\n".join(f"{line.start} {line.end}" if line.gap else line.text for line in part.lines)

    def fill(self, tick: Callable[[int], object]) -> list[Draft]:
        """The best drafts, at most as many as are wanted."""
        drafts = [Draft(tuple(None if line.gap else line.text for line in self.part.lines))]
        gaps = [n for n, line in enumerate(self.part.lines) if line.gap]
        for done, n in enumerate(gaps, start=1):
            pool: list[tuple[Draft, float | None]] = []
            for draft in drafts:
                pool += self._filled(draft, n)
            if pool:
                drafts = _best(pool, self.wishes.n)
            tick(done)
        return drafts

    def _filled(self, draft: Draft, n: int) -> list[tuple[Draft, float | None]]:
        """The draft with line ``n`` in each of the ways that were found, with the coherence of its lines."""
        copied = self._copy(draft, n)
        if copied is not None:
            return [(_with(draft, n, copied), None)]
        found = self._candidates(draft, n)[:WEIGHED]
        if not found:
            return []
        after = []
        for line in draft.lines[n + 1 :]:
            if line is None:
                break
            after.append(line)
        prompt = self._prompt(draft, n)
        if prompt is None:
            return []
        log_p = weigh(self.policy, prompt, [[line, *after] for line in found])
        ranked = sorted(zip(log_p, found, strict=True), reverse=True)[: max(POOL, self.wishes.n)]
        out = []
        for value, line in ranked:
            width = len("".join((line, *after)))
            new = replace(_with(draft, n, line), log_p=draft.log_p + value, n_characters=draft.n_characters + width)
            out.append((new, coherence([own for own in new.lines if own is not None], self.lang)))
        return out

    def _prompt(self, draft: Draft, n: int) -> Prompt | None:
        """The prompt whose next line is line ``n``; None if a line before it is missing, and nothing was drawn in its place."""
        before = [self.stand_ins.get(m) if line is None else line.strip() for m, line in enumerate(draft.lines[:n])]
        opening = tuple(line for line in before if line)
        return Prompt(self.lang, self.prompt_form, self.wishes.author, opening) if len(opening) == n else None

    def _copy(self, draft: Draft, n: int) -> str | None:
        """The text of a refrain, if another of its lines is there."""
        for repeat in self.form.repeats:
            other = repeat.of if repeat.line == n else repeat.line if repeat.of == n else None
            line = None if other is None else draft.lines[other]
            if line is None:
                continue
            if repeat.part == "line":
                return line.strip()
            if repeat.part == "opening" and repeat.line == n:
                units = line.split()
                return " ".join(units[: max(1, len(units) // 2)]).rstrip(",;:.!?… ")
        return None

    def _candidates(self, draft: Draft, n: int) -> list[str]:
        """Lines that fit, each once, as many as are wanted or the draws allow."""
        prompt = self._prompt(draft, n)
        if prompt is None:
            return []
        line = self._asked(draft, n)
        if _too_long(line.start, self.meters[n], self.lang):
            return []
        mates = self._mates(draft, n)
        sounds = [*mates, line.end] if line.end else mates
        key = tail_keys(sounds, "a" * len(sounds), self.lang)[-1] if sounds else None
        found: dict[str, None] = {}
        used, others = 0, self._dictionary_ends(mates) if mates and not line.end else []
        helpless = key is not None and isinstance(self.policy.format, VerseFormat) and self.policy.format.plan(key) == NO_KEY
        enough = WEIGHED if line.start or line.letters else max(POOL, 2 * self.wishes.n)  # what is put together is worse than what is drawn
        while used < self.wishes.max_draws and len(found) < enough:
            size = min(BATCH, self.wishes.max_draws - used)
            turn = used // BATCH
            by_dictionary = others and (helpless or (turn >= 1 and not found) or turn % 2 == 1)
            ends = [others[(turn * BATCH + k) % len(others)] for k in range(size)] if by_dictionary else [line.end] * size
            drawn = draw_lines(self.policy, prompt, ends, key=key, decoding=self._decoding())
            used += size
            for text in drawn:
                for whole in self._shaped(text, line):
                    if whole not in found and not self.fault(draft, n, whole, line):
                        found[whole] = None
            self.stand_ins[n] = next(filter(None, drawn), self.stand_ins.get(n, ""))
        self.draws += used
        return list(found)

    def _asked(self, draft: Draft, n: int) -> Line:
        """What line ``n`` has to be, with the end word that the form repeats from a line that is there."""
        line = self.part.lines[n]
        for repeat in self.form.repeats:
            other = repeat.of if repeat.line == n else repeat.line if repeat.of == n else None
            given = None if other is None else draft.lines[other]
            if repeat.part == "word" and given is not None and not line.end:
                return replace(line, end=end_of(given, self.lang).word)
        return line

    def _ends(self, draft: Draft) -> list[str]:
        """Text with the last word of each line, empty where it is open."""
        return [own if own is not None else line.end for own, line in zip(draft.lines, self.part.lines, strict=True)]

    def _mates(self, draft: Draft, n: int) -> list[str]:
        """The ends that line ``n`` has to rhyme with, as far as they are there."""
        letters = self.form.letters
        return [end for m, end in enumerate(self._ends(draft)) if end and m != n and letters[m] == letters[n] != "x"]

    def _dictionary_ends(self, mates: Sequence[str]) -> list[str]:
        """The commonest words that rhyme in full with the first of the mates."""
        code = code_of(self.lang)
        if code not in KINDS:
            return []
        return [word.word for word in rhyming_words(mates[0], self.lang, old=False, names=False) if word.full and " " not in word.word][
            :ENDS
        ]

    def _decoding(self) -> Decoding:
        return Decoding(temperature=self.wishes.temperature, top_p=self.wishes.top_p, max_new_tokens=self.policy.codec.line_room)

    def _shaped(self, text: str, line: Line) -> list[str]:
        """The lines that a draw gives: with the given last words as they were typed, and behind the given first ones."""
        if not text:
            return []
        if line.end:
            end = canonical(line.end, self.lang)
            if end[-1].isalnum():
                text = text.rstrip(SIGNS)  # a given last word is the last sign of its line, too
            if not text.endswith(end):
                return []
            text = text[: len(text) - len(end)] + line.end
        if self.capitals:
            text = text[0].upper() + text[1:]
        starts = [line.start] if line.start else common_starts(self.lang, line.letters) if line.letters else ()
        shaped = [] if line.start else [text]
        units = text.split()
        last = len(units) - (len(line.end.split()) if line.end else 1)  # an end that was given stays whole
        for cut in range(0 if line.end else 1, last + 1):
            rest = " ".join(units[cut:])
            shaped += [f"{start} {rest}" for start in starts]
        return shaped

    def fault(self, draft: Draft, n: int, text: str, line: Line) -> str:
        """Why a line does not fit as line ``n``; empty if it does. Heard by the verse rules, not by the policy."""
        lengths = self.meters[n]
        if not in_meter(text, self.lang, lengths):
            return "length"
        if line.letters and not begins_with(text, line.letters):
            return "letters"
        end = end_of(text, self.lang)
        if not line.end and not (end.known and known(end.stem, self.lang)):
            return "last word"
        if end.stem in words(text, self.lang)[:-1] and end.stem not in words(f"{line.start} {line.end}", self.lang)[:-1]:
            return "repeated word"
        letters, same = self.form.letters, self.form.same_words
        for m, other in enumerate(self._ends(draft)):
            if m == n or not other:
                continue
            if same[m] != same[n] and end_of(other, self.lang).stem == end.stem and not (line.end and self.part.lines[m].known_end):
                return "repeated word"
            if letters[m] == letters[n] != "x" and same[m] != same[n] and not answers(other, text, self.form):
                return "rhyme"
            if (
                not line.end
                and self.form.near(m, n)
                and keeps_apart(self.form, m, n)
                and answers(other, text, replace(self.form, rhyme="consonant"))
            ):
                return "rhyme that is not asked for"
        if text in draft.lines:
            return "repeated line"
        if not self.wishes.allow_unknown and set(unknown_words(text, self.lang)) - set(words(self.given, self.lang)):
            return "unknown word"
        return "mark left open" if unclosed(text) and not unclosed(f"{line.start} {line.end}") else ""


@functools.lru_cache(maxsize=64)
def common_starts(lang: str, letters: str) -> tuple[str, ...]:
    """Common words of verse that begin with given letters, with a capital.

    >>> all(begins_with(word, "l") for word in common_starts("fr", "L"))
    True
    """
    model = theme_model(lang)
    entries = () if model is None else model.entries
    common = (word for word in entries if len(word) > 1 and not word.endswith("…") and begins_with(word, letters))
    return tuple(word.capitalize() for word in itertools.islice(common, STARTS))


def _with(draft: Draft, n: int, text: str) -> Draft:
    return replace(draft, lines=(*draft.lines[:n], text, *draft.lines[n + 1 :]))


def _best(pool: Sequence[tuple[Draft, float | None]], n: int) -> list[Draft]:
    """The best drafts by two orders of equal weight: the log-probability per character, and the coherence where it is known."""
    by_policy = sorted(range(len(pool)), key=lambda k: -_per_character(pool[k][0]))
    by_sense = sorted(range(len(pool)), key=lambda k: -(pool[k][1] or 0.0))
    places = {k: by_policy.index(k) + (by_sense.index(k) if pool[k][1] is not None else 0) for k in range(len(pool))}
    return [pool[k][0] for k in sorted(places, key=lambda k: (places[k], by_policy.index(k)))[:n]]


def _per_character(draft: Draft) -> float:
    return draft.log_p / draft.n_characters if draft.n_characters else 0.0


def _writable(part: Part, lang: str) -> str:
    """The name of the part's form without its refrains, and with lengths where it leaves them free, as a policy can be asked for it."""
    asked: Form = part.form
    if not unwritable(asked):
        return asked.name
    usual = _usual_length(part, lang)
    meters = " ".join("|".join(map(str, lengths or (usual,))) for lengths in asked.meters)
    kind = asked.rhyme if asked.rhyme in ("assonant", "historical") else "consonant"
    return f"{asked.scheme}/{meters}/{kind}"


def _usual_length(part: Part, lang: str) -> int:
    kept = sorted(length_of(line.text, lang) for line in part.lines if not line.gap)
    return kept[len(kept) // 2] if kept else USUAL.get(code_of(lang), 8)


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
    if _too_long(start, part.form.meters[n], lang):
        asked[0] += f" (its first words have {length_of(start, lang)})"
    ends = [own if own is not None else line.end for own, line in zip(draft.lines, part.lines, strict=True)]
    mates = [end for m, end in enumerate(ends) if end and m != n and part.form.letters[m] == part.form.letters[n] != "x"]
    asked += [f"a rhyme with {end_of(mates[0], lang).word!r}"] if mates else []
    asked += [f"{part.lines[n].letters!r} at its beginning"] if part.lines[n].letters else []
    return ", ".join(asked) or "a line"


def _too_long(start: str, lengths: tuple[int, ...], lang: str) -> bool:
    """Whether the first words of a line are longer than the line may be, however they are read."""
    return bool(start and lengths) and not in_meter(start, lang, tuple(range(1, max(lengths) + 1)))
