"""Fills the gaps of one part of a poem by rejection: draws lines, keeps those that fit by the rules of verse, ranks them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from policies.causal_lm import CausalPolicy
from policies.completion.drafts import Draft, best, with_line
from policies.completion.draws import draw_lines, weigh
from policies.completion.gaps import Line, Part, begins_with, capitals
from policies.completion.shape import common_starts, too_long, writable
from policies.decoding.sampler import Decoding
from policies.formats.verse import NO_KEY, VerseFormat
from rlpoet.analysis.coherence import coherence
from rlpoet.analysis.lexicon import known, unknown_words, words
from rlpoet.analysis.rhyme_dictionary import KINDS
from rlpoet.analysis.rhyme_dictionary import words as rhyming_words
from rlpoet.languages import code_of
from rlpoet.prosody.annotate import tail_keys
from rlpoet.prosody.caesura import keeps_caesura
from rlpoet.prosody.ending import end_of
from rlpoet.prosody.fit import keeps_apart
from rlpoet.prosody.forms import answers, form
from rlpoet.prosody.meter import in_meter
from rlpoet.text import canonical, unclosed
from rlpoet.types import Prompt

SIGNS = ' .,;:!?…»”"—-)'  # at the end of a line
BATCH = 32  # lines drawn at once
MAX_DRAWS = 256  # by default, per gap
POOL = 12  # lines that fit, among which the best are chosen
WEIGHED = 64  # most lines that are weighed at once
ENDS = 60  # the commonest rhyming words that are tried as last words where the policy finds none


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


class Filler:
    """Fills the gaps of one part, one after the other from the first, in several drafts at once."""

    def __init__(self, policy: CausalPolicy, part: Part, wishes: Wishes) -> None:
        self.policy, self.part, self.wishes = policy, part, wishes
        self.lang, self.form = policy.lang, part.form
        self.draws = 0
        # for a line that was not found, one that does not fit, so that the lines after it have one before
        self.stand_ins: dict[int, str] = {}
        self.prompt_form = writable(part, self.lang)
        self.meters = form(self.prompt_form, self.lang).meters
        self.capitals = capitals(part.lines)
        self.wants_caesura = _wants_caesura(part, self.lang, self.meters)
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
                drafts = best(pool, self.wishes.n)
            tick(done)
        return drafts

    def _filled(self, draft: Draft, n: int) -> list[tuple[Draft, float | None]]:
        """The draft with line ``n`` in each of the ways that were found, with the coherence of its lines."""
        copied = self._copy(draft, n)
        if copied is not None:
            return [(with_line(draft, n, copied), None)]
        found = sorted(self._candidates(draft, n), key=functools.partial(self._is_uncut, n))[:WEIGHED]
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
        uncut = [self._is_uncut(n, line) for line in found]
        ranked = sorted(zip(uncut, log_p, found, strict=True), key=lambda one: (one[0], -one[1]))[: max(POOL, self.wishes.n)]
        out = []
        for lacks, value, line in ranked:
            width = len("".join((line, *after)))
            new = replace(
                with_line(draft, n, line), log_p=draft.log_p + value, n_characters=draft.n_characters + width, n_uncut=draft.n_uncut + lacks
            )
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
        if too_long(line.start, self.meters[n], self.lang):
            return []
        mates = self._mates(draft, n)
        sounds = [*mates, line.end] if line.end else mates
        key = tail_keys(sounds, "a" * len(sounds), self.lang)[-1] if sounds else None
        found: dict[str, None] = {}
        used, others = 0, self._dictionary_ends(mates) if mates and not line.end else []
        helpless = key is not None and isinstance(self.policy.format, VerseFormat) and self.policy.format.plan(key) == NO_KEY
        enough = WEIGHED if line.start or line.letters else max(POOL, 2 * self.wishes.n)  # what is put together is worse than what is drawn
        n_cut = 0
        while used < self.wishes.max_draws and (len(found) < enough or (n_cut < self.wishes.n and len(found) < WEIGHED)):
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
                        n_cut += not self._is_uncut(n, whole)
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

    def _is_uncut(self, n: int, text: str) -> bool:
        """Whether a line lacks the caesura that is wanted of line ``n``."""
        return self.wants_caesura and keeps_caesura(text, self.lang, self.meters[n]) is False

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


def _wants_caesura(part: Part, lang: str, meters: Sequence[tuple[int, ...]]) -> bool:
    """Whether new lines should have the caesura of their length: not in a poem most of whose given lines do without it."""
    kept = [keeps_caesura(line.text, lang, lengths) for line, lengths in zip(part.lines, meters, strict=True) if not line.gap]
    return kept.count(False) <= kept.count(True)
