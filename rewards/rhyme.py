"""The reward for rhyme: whether the lines rhyme as the form requires, and no others."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

from rewards.lines import explain_miscount, gains_of, read
from rlpoet.analysis.lexicon import known
from rlpoet.errors import UnknownName
from rlpoet.languages import codes, find
from rlpoet.phonology import phonology
from rlpoet.prosody import verse
from rlpoet.prosody.ending import end_of
from rlpoet.prosody.fit import keeps_apart
from rlpoet.prosody.forms import answers, before_radif, detecting, repeats_line
from rlpoet.prosody.rhyme import bare_words, rhyme_kind
from rlpoet.prosody.richness import homophones, shared_sounds
from rlpoet.types import Ending, Explained, Form, LineScore, Prompt, Repeat


class Rhyme:
    """Share of the form's line pairs that rhyme, and of its lines that repeat what the form has them repeat.

    ``score = sum(credit(i, j) for (i, j) in form.pairs) / len(form.pairs)``. A pair has credit 1 if all hold:

    1. The lines rhyme: the kind is in ``Verse.rhyming``, or an assonance in an assonant form, or a historical rhyme in a historical one.
    2. Neither end word ends another line of the poem, but where the form repeats it. A word never rhymes with itself, nor with a
       compound of it.
    3. Neither line rhymes with a line of another letter, or of ``x``. So one rhyme for all lines of ``abab`` earns nothing.
    4. With ``known_only``, both end words have a pronunciation that is not a guess, so an invented word earns nothing. A name of which only
       the spelling of its end is known has to stand in the word list too: a capital would else pay for any invention.
    5. The lines share ``richness`` sounds, counted from the end. An assonance that counts as a rhyme need not.
    6. Without ``homophones``, the end words do not have the same pronunciation (*mer* / *mère*, *sea* / *see*).

    In a form of any length, or of stanzas alike, (2) and (3) look at the lines within ``form.reach``. A line that has to repeat an earlier
    one, its end word or its beginning counts as a pair with it, of credit 1 if it does.

    Lines marked ``x`` may rhyme with each other. If only (1) or (5) fails, the credit is ``partial`` times the similarity of the tails.
    A text with another number of lines than its form scores 0. None if the form has no rhyme and repeats nothing.

    Args:
        partial: most credit for a near rhyme, in [0, 0.3]; helps exploration while true rhymes are rare.
        known_only: whether a guessed pronunciation earns nothing.
        variety: variety for the languages that have it, such as ``distincion`` or ``modern``; other languages keep the prompt's.
        richness: least number of sounds that a rhyme shares: 1 *pauvre*, 2 *suffisante*, 3 *riche*.
        homophones: whether words with the same pronunciation rhyme.
        assonance: whether an assonance is a rhyme: True in every form, False in none, None as the form says.
        historical: whether rhymes of earlier English count (*love* / *prove*, *given* / *heaven*): True in every form, False in none,
            None as the form says; English sonnets do. Such a rhyme is never held against the other rhymes of a line.
        refrains: whether a line that is repeated whole rhymes with itself. For poems by people, of whose refrains the form may not tell.

    Raises:
        ValueError: ``partial`` is outside [0, 0.3]; above that a near rhyme would pay too well to leave. ``richness`` is below 1.
        UnknownName: no language has that variety.
    """

    name = "rhyme"
    end_words_decide = True  # a policy that writes lines from their end has earned it before the rest of the line

    def __init__(
        self,
        *,
        partial: float = 0.0,
        known_only: bool = True,
        variety: str = "",
        richness: float = 1,
        homophones: bool = True,
        assonance: bool | None = None,
        historical: bool | None = None,
        refrains: bool = False,
    ) -> None:
        if not 0.0 <= partial <= 0.3:
            raise ValueError(f"partial is {partial}; expected a share in [0, 0.3]")
        if not richness >= 1:
            raise ValueError(f"richness is {richness}; expected 1 sound or more")
        self.partial = partial
        self.known_only = known_only
        self.variety = variety
        self.richness, self.homophones, self.assonance = richness, homophones, assonance
        self.historical, self.refrains = historical, refrains
        if variety:
            varieties = {name for code in codes() for name in find(code).language.varieties}
            if variety not in varieties:
                raise UnknownName("variety", variety, varieties)

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        return [self._score(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        """What each line adds to the score of the lines before it; sums to the score. One number a line written.

        The number at a line depends on nothing below it, so it is a reward at that line's end: the closing line of a
        pair earns it, and a line that spoils an earlier pair pays for it with a negative number.
        """
        form, lines, complete = self._read(prompt, text)
        if not complete or not _asks(form):
            return [0.0] * len(lines)
        reached = [self._share(form, lines[: n + 1]) for n in range(len(lines))]
        return gains_of(reached)

    def explain(self, prompt: Prompt, text: str) -> Explained:
        """For every line the pair it closes, or else opens, and why that pair has its credit."""
        form, lines, complete = self._read(prompt, text)
        if not complete and _asks(form):
            return explain_miscount(self.name, form, lines)
        verdicts: dict[int, tuple[float, str]] = {}
        for i, j in form.pairs:
            verdicts.setdefault(i, self._judge(form, lines, i, j))
            verdicts[j] = self._judge(form, lines, j, i)
        for repeat in form.repeats if complete else ():
            verdicts.setdefault(repeat.of, (_repeat_credit(form, lines, repeat), f"line {repeat.line + 1} has to repeat it"))
            verdicts[repeat.line] = _repeat_credit(form, lines, repeat), _repeat_reason(form, lines, repeat)
        free = (None, "free of rhyme in this form")
        rows = tuple(LineScore(line, *verdicts.get(n, free)) for n, line in enumerate(lines))
        return Explained(self.name, self._score(prompt, text), rows)

    def _score(self, prompt: Prompt, text: str) -> float | None:
        form, lines, complete = self._read(prompt, text)
        if not _asks(form):
            return None
        return self._share(form, lines) if complete else 0.0

    def _read(self, prompt: Prompt, text: str) -> tuple[Form, list[str], bool]:
        """The form, its language named by the variety it is to be heard in, its rhyme by the kind that is to count."""
        form, lines, complete = read(prompt, text)
        if self.assonance is not None and form.rhyme != "radif":
            form = dataclasses.replace(form, rhyme="assonant" if self.assonance else "consonant")
        if self.historical is not None and form.rhyme in ("consonant", "historical"):
            form = dataclasses.replace(form, rhyme="historical" if self.historical else "consonant")
        language = find(prompt.lang).language if self.variety else None
        if language is not None and self.variety in language.varieties:
            form = dataclasses.replace(form, lang=f"{language.code}-{self.variety}")
        return form, before_radif(lines, form) if complete else lines, complete

    def _share(self, form: Form, lines: Sequence[str]) -> float:
        """Credit of the pairs and repeats within ``lines``, the first lines of a poem or all of them, over all that the form has."""
        rhymed = sum(self._judge(form, lines, j, i)[0] for i, j in form.pairs if j < len(lines))
        again = sum(_repeat_credit(form, lines, repeat) for repeat in form.repeats if repeat.line < len(lines))
        return (rhymed + again) / (len(form.pairs) + len(form.repeats))

    def _judge(self, form: Form, lines: Sequence[str], me: int, mate: int) -> tuple[float, str]:
        """Credit of the pair ``{me, mate}`` and the reason, told at line ``me``. Credit is the same from both ends."""
        ends = [end_of(line, form.lang) for line in lines]
        present_day = dataclasses.replace(form, rhyme="consonant") if form.rhyme == "historical" else form
        for n in (me, mate):
            if not ends[n].word:
                return 0.0, f"line {n + 1} ends in no word"
            same, heard = form.same_words, (mate, me, *_near(form, n, len(lines)))
            twins = (k for k in heard if k != n and ends[k].stem == ends[n].stem and same[k] != same[n])
            twin = next((k for k in twins if not (self.refrains and bare_words(lines[k]) == bare_words(lines[n]))), None)
            if twin is not None:
                at = "this line" if twin == me else f"line {twin + 1}"
                return 0.0, f"{ends[n].stem!r} ends {at} too: a word does not rhyme with itself"
            if self.known_only and not (ends[n].known and attested(ends[n].word, form.lang)):
                return 0.0, f"{ends[n].word!r} is not in the lexicon: no credit for a guess"
        for n in (me, mate):
            others = [k for k in _near(form, n, len(lines)) if keeps_apart(form, k, n)]
            stray = next((k for k in others if answers(lines[k], lines[n], present_day)), None)
            if stray is not None:
                owner = "" if n == me else f"line {mate + 1} "
                return 0.0, f"{owner}rhymes with line {stray + 1}, which is {_place(form, stray)}: no credit"
        if self.refrains and bare_words(lines[me]) == bare_words(lines[mate]):
            return 1.0, f"line {mate + 1} again, a refrain"
        kind = rhyme_kind(lines[me], lines[mate], form.lang)
        if answers(lines[me], lines[mate], present_day):
            if not self.homophones and homophones(lines[me], lines[mate], form.lang):
                return 0.0, f"sounds all through like {ends[mate].word!r} of line {mate + 1}: homophones are no rhyme here"
            sounds = shared_sounds(lines[me], lines[mate], form.lang) if self.richness > 1 else 0
            if not 0 < sounds < self.richness:  # no sounds: an assonance, which the form allows
                return 1.0, f"rhymes with line {mate + 1} ({kind}, -{ends[me].tail})"
            kind = f"{sounds} of {self.richness:g} sounds shared"
        elif form.rhyme == "historical" and kind in detecting(form.lang):
            return 1.0, f"rhymes with line {mate + 1} as poets have it ({kind}, -{ends[me].tail})"
        near = f"only {kind} with" if kind else "no rhyme with"
        credit = self.partial * _likeness(lines[me], lines[mate], form.lang)
        return credit, f"{near} line {mate + 1} (-{ends[me].tail}, -{ends[mate].tail})"


def _near(form: Form, n: int, n_lines: int) -> Sequence[int]:
    """The lines whose rhymes count against line ``n``."""
    return range(n_lines) if form.reach is None else [k for k in range(n_lines) if form.near(k, n)]


def _asks(form: Form) -> bool:
    return bool(form.pairs or form.repeats)


@functools.lru_cache(maxsize=50_000)
def attested(word: str, lang: str) -> bool:
    """Whether a word whose sound is known is also known to exist: names whose end is told by their spelling alone may be inventions."""
    return not phonology(lang).transcribe(word.capitalize()).source.startswith("name_endings") or known(word, lang)


def _repeat_credit(form: Form, lines: Sequence[str], repeat: Repeat) -> float:
    return float(repeats_line(lines[repeat.of], lines[repeat.line], repeat.part, form.lang))


def _repeat_reason(form: Form, lines: Sequence[str], repeat: Repeat) -> str:
    what = {"line": "line {}", "word": "the end word of line {}", "opening": "the beginning of line {}"}[repeat.part].format(repeat.of + 1)
    return f"{'repeats' if _repeat_credit(form, lines, repeat) else 'does not repeat'} {what}"


def _place(form: Form, n: int) -> str:
    letter = form.letters[n]
    return "free of rhyme" if letter == "x" else f"of rhyme {letter}"


def _likeness(a: str, b: str, lang: str) -> float:
    """Share of equal phones where two tails are laid end to end, the best over all pronunciations; in [0, 1]."""
    rules = verse(lang)
    return max((_overlap(x, y) for x in rules.endings(a) for y in rules.endings(b)), default=0.0)


def _overlap(a: Ending, b: Ending) -> float:
    longest = max(len(a.phones), len(b.phones))
    same = sum(x == y for x, y in zip(reversed(a.phones), reversed(b.phones), strict=False))
    return same / longest if longest else 0.0
