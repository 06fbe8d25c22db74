"""Whether a text has the lines of its form, how well they keep it, and which form lines keep best."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rlpoet.prosody.ending import end_of
from rlpoet.prosody.forms import answers, before_radif, form, forms, repeats_line, unwritable
from rlpoet.prosody.meter import in_meter
from rlpoet.text import split_poem
from rlpoet.types import Form, Prompt

LIKELY = 0.7  # mean of rhyming pairs and lines in meter from which a form is a fair guess


def has_its_lines(lines: Sequence[str], asked: Form) -> bool:
    """Whether there are as many lines as a form has. Nothing of a poem with more or fewer is held against the form.

    Blank lines are layout and count for nothing, so a sonnet may or may not show its stanzas.
    """
    return len(lines) == asked.n_lines


def form_and_lines(prompt: Prompt, text: str) -> tuple[Form, list[str], bool]:
    r"""The form asked for, the lines written, and whether their number is right.

    Raises:
        UnknownName: the prompt names no language or form we have. That is the caller's mistake, not the policy's.

    >>> asked, lines, complete = form_and_lines(Prompt("fr", "couplet"), "ombre\n\nsombre\n")
    >>> asked.name, lines, complete
    ('couplet', ['ombre', 'sombre'], True)
    """
    asked, lines = form(prompt.form, prompt.lang), split_poem(text)
    return asked, lines, has_its_lines(lines, asked)


def pairs_that_rhyme(lines: Sequence[str], asked: Form) -> list[bool]:
    """Whether each pair of the form rhymes as it has to, in the order of ``asked.pairs``, of as many lines as the form has."""
    lines = before_radif(lines, asked)
    return [answers(lines[i], lines[j], asked) for i, j in asked.pairs]


def repeats_kept(lines: Sequence[str], asked: Form) -> list[bool]:
    """Whether each line that has to repeat another does, in the order of ``asked.repeats``, of as many lines as the form has."""
    return [repeats_line(lines[of], lines[n], part, asked.lang) for of, n, part in asked.repeats]


def pairs_by_the_rule(lines: Sequence[str], asked: Form) -> list[bool]:
    """Whether each pair of the form earns by the rule of the reward for rhyme, in the order of ``asked.pairs``.

    Beside rhyming, both end words have to stand in the lexicon, neither may end another line of the poem, and neither may rhyme with a line
    of another letter. ``rewards.rhyme`` at its defaults gives the share of these pairs.
    """
    lines = before_radif(lines, asked)
    ends = [end_of(line, asked.lang) for line in lines]
    stems = [end.stem for end in ends]
    present_day = dataclasses.replace(asked, rhyme="consonant") if asked.rhyme == "historical" else asked

    def spoilt(n: int) -> bool:
        if not ends[n].word or not ends[n].known:
            return True
        near = [k for k in range(len(lines)) if k != n and asked.near(k, n)]
        if any(stems[k] == stems[n] and asked.same_words[k] != asked.same_words[n] for k in near):
            return True
        return any(answers(lines[k], lines[n], present_day) for k in near if keeps_apart(asked, k, n))

    return [answers(lines[i], lines[j], asked) and not spoilt(i) and not spoilt(j) for i, j in asked.pairs]


def keeps_apart(asked: Form, i: int, j: int) -> bool:
    """Whether a form keeps two lines from rhyming: they have different letters, and neither is a rentrement."""
    apart = asked.letters[i] != asked.letters[j]
    return apart and not (asked.repeats and any(part == "opening" and n in (i, j) for _, n, part in asked.repeats))


def lines_in_meter(lines: Sequence[str], asked: Form) -> list[bool]:
    """Whether each line has an admissible length of the form, of as many lines as it has."""
    return [not lengths or in_meter(line, asked.lang, lengths) for line, lengths in zip(lines, asked.meters, strict=True)]


def kept(lines: Sequence[str], asked: Form) -> tuple[float, ...]:
    """Shares of pairs that rhyme, or lines that repeat, and of lines in meter, of as many lines as the form has.

    Where nothing has to rhyme the second alone.

    >>> kept(["Ici gît dans la nuit sombre", "Un poète sans nul nombre"], form("couplet", "fr"))
    (1.0, 0.0)
    """
    parts = (pairs_that_rhyme(lines, asked) + repeats_kept(lines, asked), lines_in_meter(lines, asked))
    return tuple(sum(part) / len(part) for part in parts if part)


def guess_form(lines: Sequence[str], lang: str, *, among: Sequence[Form] | None = None, least: float = LIKELY) -> Form | None:
    """The form these lines keep best, by the mean of the shares of ``kept``: the first of equals, in the table the commonest.

    Args:
        lines: of the text.
        lang: whose forms.
        among: the forms to choose from; if None all of the language that policies can be asked for and that rhyme.
        least: mean from which a form is a guess.

    Returns:
        None where no form has so many lines, or none is kept so well.

    Raises:
        UnknownName: no such language.
    """
    best, most = None, -1.0
    for asked in [own for own in forms(lang) if own.pairs and not unwritable(own)] if among is None else among:
        if has_its_lines(lines, asked):
            shares = kept(lines, asked)
            mean = sum(shares) / len(shares)
            if mean > most:
                best, most = asked, mean
    return best if most >= least else None
