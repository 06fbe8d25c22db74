"""Which form a poem by people has: one of the table that it keeps, or else the scheme and the lengths that are heard.

A guess is never held against a poem: it is a form whose rhymes and refrains the poem keeps all, and most of whose lines have its lengths.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence

from rlpoet.languages import code_of
from rlpoet.prosody import verse
from rlpoet.prosody.ending import end_of
from rlpoet.prosody.fit import repeats_kept
from rlpoet.prosody.forms import answers, before_radif, detecting, form, forms, repeated, sized
from rlpoet.prosody.meter import in_meter, length_of
from rlpoet.prosody.rhyme import ASSONANT, EARSHOT, bare_words, find_poem_scheme, rhyme_kind
from rlpoet.types import Form

KEPT = 0.85  # share of lines that a poem in a form of the table has in meter
IN_METER = 0.7  # share of lines from which a length is that of the poem
AGAIN = 0.25  # most lines that are repeated whole where the form has no refrain
MIXED = 0.9  # the same for two lengths in any order
STRAY = 0.1  # most lines free of rhyme in a form that rhyme all the same
SHORTEST_SILVA = 8  # lines
FEWEST_UNRHYMED = 4  # lines from which equal lengths alone are a form


def recognize(stanzas: Sequence[Sequence[str]], lang: str) -> tuple[Form | None, str]:
    """The form of a poem and its scheme, one letter a line.

    Args:
        stanzas: the poem as it is printed.

    Returns:
        The form, or None where neither rhymes nor lengths are regular; its name is that of the table, or its scheme and lengths as
        ``rlpoet.prosody.forms.form`` reads them. And the letters that are heard.

    Raises:
        UnknownName: no such language.
    """
    lines = [line for stanza in stanzas for line in stanza]
    heard = _heard(lines, lang)
    best, most = None, (-1.0, 0.0)
    for asked in _candidates(stanzas, lang):
        rank = _rank(lines, asked, heard)
        if rank is not None and rank > most:
            best, most = asked, rank
    if best is not None:
        return best, best.letters if best.repeats or best.rhyme in ("radif", "assonant") else heard
    return _as_heard(stanzas, heard, lang), heard


def _heard(lines: Sequence[str], lang: str) -> str:
    """The scheme; in a language that has assonant forms, lines without a full rhyme may be bound by one assonance: xaxa."""
    heard = find_poem_scheme(lines, lang)
    if set(heard) != {"x"} or not any(asked.rhyme == "assonant" for asked in forms(lang)):
        return heard
    bound = range(1, len(lines), 2)
    if len(bound) < 2 or any(
        rhyme_kind(lines[i], lines[j], lang) not in ASSONANT | verse(lang).rhyming for i in bound for j in bound if i < j
    ):
        return heard
    return "".join("a" if n in bound else "x" for n in range(len(lines)))


def _candidates(stanzas: Sequence[Sequence[str]], lang: str) -> Iterator[Form]:
    """The forms of the table that have as many lines, as a whole or stanza by stanza."""
    sizes = {len(stanza) for stanza in stanzas}
    n = sum(map(len, stanzas))
    regular = len(stanzas) > 1 and len(sizes) == 1
    for asked in forms(lang):
        if regular and not asked.pairs and not asked.repeats and len(asked.meters[0]) > 1 and asked.meters[0][-1] - asked.meters[0][0] > 1:
            continue  # a silva has no stanzas
        if not any(asked.meters) and not asked.repeats and asked.rhyme != "radif":
            continue  # any poem with its rhymes would be one
        whole = sized(asked, n)
        if whole is not None:
            yield whole
        elif sizes == {asked.n_lines}:
            stanza_form = repeated(asked, len(stanzas))
            if stanza_form is not None:
                yield stanza_form


def _rank(lines: Sequence[str], asked: Form, heard: str) -> tuple[float, float] | None:
    """How much of what is heard a form explains: its pairs and repeats, then lines that have its lengths without a licence.

    None if the poem does not keep the form.
    """
    kind = "historical" if asked.rhyme == "consonant" and detecting(asked.lang) else asked.rhyme
    lenient = dataclasses.replace(asked, rhyme=kind)
    # rhymes first: they cost least, and refuse most forms before a line is counted for them
    if not all(repeats_kept(lines, asked)):
        return None
    rhyming = before_radif(lines, lenient)
    for i, j in asked.pairs:
        if not answers(rhyming[i], rhyming[j], lenient) and bare_words(lines[i]) != bare_words(lines[j]):
            return None
    if not asked.pairs and not asked.repeats and not _may_be_unrhymed(lines, asked, heard):
        return None
    if _linked(asked, heard):
        return None
    measured = sum(map(bool, asked.meters))
    missed = 0
    for line, lengths in zip(lines, asked.meters, strict=True):
        if lengths and not in_meter(line, asked.lang, lengths):
            missed += 1
            if measured - missed < KEPT * measured:
                return None
    plain = sum(length_of(line, asked.lang) in lengths for line, lengths in zip(lines, asked.meters, strict=True)) / len(lines)
    if asked.rhyme == "radif" and before_radif(lines, asked) == lines:
        return None
    lines = before_radif(lines, asked)
    if any(_twins(lines, asked)) or _again(lines, asked) > AGAIN * len(lines):
        return None
    letters = asked.letters
    if not asked.pairs and not asked.repeats:
        return (0.0, plain) if not _is_silva(asked) or _two_lengths(asked, lines) else None
    if not asked.repeats and asked.rhyme != "radif":
        apart = sum(
            heard[i] == heard[j] != "x" and letters[i] != letters[j] and "x" not in (letters[i], letters[j])
            for i in range(len(lines))
            for j in range(i)
            if i - j <= EARSHOT and asked.near(i, j)
        )
        stray = sum(
            own == "x" and said != "x" and _answered(lines, n, asked.lang) for n, (own, said) in enumerate(zip(letters, heard, strict=True))
        )
        if apart or stray > STRAY * len(lines):
            return None
    return len(asked.pairs) + len(asked.repeats), plain


def _linked(asked: Form, heard: str) -> bool:
    """Whether stanzas that would each have rhymes of their own keep those of the stanza before: the octave abba abba is not abba twice.

    One rhyme may come again by chance. So it takes all rhymes of a stanza that has two or more, at half of the breaks.
    """
    stanzas = asked.scheme.split(" ")
    if asked.reach != 0 or len(stanzas) < 2 or len(set(stanzas[0]) - {"x"}) < 2:
        return False
    size = len(stanzas[0])
    own = [heard[at : at + size] for at in range(0, len(heard), size)]
    return 2 * sum(before == after for before, after in itertools.pairwise(own)) >= len(own) - 1


def _is_silva(asked: Form) -> bool:
    """Whether a form has two lengths in any order, and rhymes where it likes."""
    return len(set(asked.meters)) == 1 and asked.meters[0][-1] - asked.meters[0][0] > 1


def _may_be_unrhymed(lines: Sequence[str], asked: Form, heard: str) -> bool:
    """Whether a poem may have a form without rhymes, by its size and by what is heard."""
    if _is_silva(asked):
        return len(lines) >= SHORTEST_SILVA
    if len(set(asked.meters)) == 1 and len(lines) < FEWEST_UNRHYMED:
        return False
    return sum(letter != "x" for letter in heard) <= STRAY * len(lines)


def _twins(lines: Sequence[str], asked: Form) -> Iterator[bool]:
    """For two lines that have to rhyme, whether one ends in the word of another line, which the form does not have it repeat."""
    stems, bare = [end_of(line, asked.lang).stem for line in lines], [bare_words(line) for line in lines]
    for n in {n for pair in asked.pairs for n in pair}:
        for k in range(len(lines)):
            if k != n and asked.near(k, n) and stems[k] == stems[n] and asked.same_words[k] != asked.same_words[n]:
                yield bare[k] != bare[n]


def _again(lines: Sequence[str], asked: Form) -> int:
    """How many lines are repeated whole without the form's asking."""
    bare = [bare_words(line) for line in lines]
    bound = {n for repeat in asked.repeats for n in (repeat.of, repeat.line)}
    return sum(bare.count(words) > 1 for n, words in enumerate(bare) if n not in bound)


def _answered(lines: Sequence[str], n: int, lang: str) -> bool:
    """Whether a line rhymes fully with another near it."""
    full = verse(lang).rhyming
    return any(
        k != n and rhyme_kind(lines[k], lines[n], lang) in full for k in range(max(0, n - EARSHOT), min(len(lines), n + EARSHOT + 1))
    )


def _two_lengths(asked: Form, lines: Sequence[str]) -> bool:
    """Whether each of the lengths of a silva occurs."""
    found = {length_of(line, asked.lang) for line in lines}
    return found.issuperset(asked.meters[0])


def _as_heard(stanzas: Sequence[Sequence[str]], heard: str, lang: str) -> Form | None:
    """A form of the poem's own: the scheme that is heard, with its refrains, and the lengths that most lines have."""
    lines = [line for stanza in stanzas for line in stanza]
    meters = _lengths(stanzas, lang)
    if set(heard) == {"x"} and (not meters or len(lines) < FEWEST_UNRHYMED):
        return None
    tokens = _tokens(lines, heard, lang)
    parts, at = [], 0
    for stanza in stanzas:
        parts.append("".join(tokens[at : at + len(stanza)]))
        at += len(stanza)
    kind = _rhyme(lines, heard, lang)
    return form(f"{' '.join(parts)}/{meters}" + (f"/{kind}" if kind != "consonant" else ""), lang)


def _tokens(lines: Sequence[str], heard: str, lang: str) -> list[str]:
    """A letter a line, capital with a number where the line comes again, small with a number where its end word does."""
    bare = [bare_words(line) for line in lines]
    stems = [end_of(line, lang).stem for line in lines]
    tokens = list(heard)
    for letter in dict.fromkeys(heard):
        own = [n for n, said in enumerate(heard) if said == letter != "x"]
        again = [stem for stem, times in Counter(stems[n] for n in own).items() if times > 1]
        for number, stem in enumerate(again[:9], start=1):
            places = [n for n in own if stems[n] == stem]
            whole = len({bare[n] for n in places}) == 1
            for n in places:
                tokens[n] = f"{letter.upper() if whole else letter}{number}"
    return tokens


def _rhyme(lines: Sequence[str], heard: str, lang: str) -> str:
    """The kind of rhyme that binds all lines of a letter: consonant, assonant, or what poets use beside full rhymes."""
    last: dict[str, int] = {}
    kinds = set()
    for n, letter in enumerate(heard):
        if letter != "x":
            if letter in last:
                kinds.add(rhyme_kind(lines[last[letter]], lines[n], lang))
            last[letter] = n
    if kinds & ASSONANT:
        return "assonant"
    return "historical" if kinds - verse(lang).rhyming - {"identical"} else "consonant"


def _lengths(stanzas: Sequence[Sequence[str]], lang: str) -> str:
    """The lengths of the lines as a table writes them: one for all, one a line, or two in any order; empty if none.

    A line that has another length than most is left free.
    """
    lines = [line for stanza in stanzas for line in stanza]
    one = _common(lines, lang, IN_METER)
    if one:
        fitting = [in_meter(line, lang, one) for line in lines]
        cell = "|".join(map(str, one))
        return cell if all(fitting) else " ".join(cell if fits else "-" for fits in fitting)
    if len(stanzas) > 1 and len({len(stanza) for stanza in stanzas}) == 1:
        cells = [_common([stanza[n] for stanza in stanzas], lang, IN_METER) for n in range(len(stanzas[0]))]
        if all(cells):
            pairs = [(line, cell) for stanza in stanzas for line, cell in zip(stanza, cells, strict=True)]
            return " ".join("|".join(map(str, cell)) if in_meter(line, lang, cell) else "-" for line, cell in pairs)
    if len(lines) >= FEWEST_UNRHYMED and len(lines) % 2 == 0:  # a stanza alone of long and short lines in turn
        turns = [_common(lines[n::2], lang, 1.0) for n in (0, 1)]
        if all(turns):
            return " ".join("|".join(map(str, turns[n % 2])) for n in range(len(lines)))
    two = [length for length, _ in Counter(length_of(line, lang) for line in lines).most_common(2)]
    if len(lines) > FEWEST_UNRHYMED and sum(in_meter(line, lang, tuple(sorted(two))) for line in lines) >= MIXED * len(lines):
        return "|".join(map(str, sorted(two)))
    return ""


def _common(lines: Sequence[str], lang: str, least: float) -> tuple[int, ...]:
    """The length of at least that share of lines, with the feminine ending in English; empty if there is none."""
    best: tuple[int, ...] = ()
    most = 0
    for length, _ in Counter(length_of(line, lang) for line in lines).most_common(3):
        cell = (length, length + 1) if code_of(lang) == "en" else (length,)
        fitting = sum(in_meter(line, lang, cell) for line in lines)
        if length and fitting > most:
            best, most = cell, fitting
    return best if most >= least * len(lines) else ()
