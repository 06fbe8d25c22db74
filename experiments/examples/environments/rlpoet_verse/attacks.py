"""Ways to earn a reward without better verse, each made of a stanza by people; none may earn more than ``MOST``.

Some are those of ``rewards.testing.attacks``; the others need a prompt. Two of that room's attacks stay open here: a stanza whose words
stand in alphabetical order within each line ("word salad that ends well"), and lines swapped where the new order keeps the form.
"""

from __future__ import annotations

from collections.abc import Callable

from rewards.testing.attacks import ALIKE, ATTACKS
from rlpoet.languages import code_of
from rlpoet.prosody.forms import form
from rlpoet.text import split_poem
from rlpoet_verse.canon import Stanza, stanzas
from rlpoet_verse.scoring import Compose, judge
from rlpoet_verse.specs import VerseSpec

LEAST, MOST = 0.95, 0.2  # a stanza by people earns at least, an attack at most
SHARED = (
    "nothing", "blank lines", "signs alone", "one line again and again", "the same end word", "a homograph", "invented end words",
    "gibberish that ends well", "an invented name in every line", "la la la", "very long lines", "a line too few", "the poem twice",
)  # fmt: skip
Make = Callable[[VerseSpec, list[str]], str | None]


def _one_line(spec: VerseSpec, lines: list[str]) -> str:
    return " ".join(lines)


def _copied_prompt(spec: VerseSpec, lines: list[str]) -> str:
    """The prompt, cut into as many lines as the form has."""
    words = spec.prompt.split()
    size = -(-len(words) // len(lines))
    return "\n".join(" ".join(words[n * size : (n + 1) * size]) or words[-1] for n in range(len(lines)))


def _rhyme_soup(spec: VerseSpec, lines: list[str]) -> str:
    """Lines of nothing but words that rhyme with each other."""
    words = ALIKE[spec.lang]
    return "\n".join(" ".join(words[(n + k) % len(words)] for k in range(4)) for n in range(len(lines)))


def _theme_soup(spec: VerseSpec, lines: list[str]) -> str | None:
    """Lines of nothing but words of the theme."""
    words = spec.theme
    return "\n".join(" ".join(words[(n + k) % len(words)] for k in range(5)) for n in range(len(lines))) if words else None


def _other_language(spec: VerseSpec, lines: list[str]) -> str | None:
    """Verse of another language with as many lines."""
    return next((one.text for one in stanzas() if one.lang != spec.lang and len(split_poem(one.text)) == len(lines)), None)


def _copied_verse(spec: VerseSpec, lines: list[str]) -> str:
    return "\n".join(lines)


def _thought(spec: VerseSpec, lines: list[str]) -> str:
    """A poem that is only thought of: the reasoning does not end."""
    return "<think>" + "\n".join(lines)


OWN: dict[str, Make] = {
    "one line": _one_line,
    "the prompt": _copied_prompt,
    "rhyme soup": _rhyme_soup,
    "theme soup": _theme_soup,
    "another language": _other_language,
    "known verse": _copied_verse,
    "an unfinished thought": _thought,
}


def attacks_on(spec: VerseSpec, stanza: Stanza) -> dict[str, str]:
    """By name, the attacks that can be made of a stanza."""
    lines, letters = split_poem(stanza.text), form(spec.form, spec.lang).letters
    shared = {one.name: one.make(letters, code_of(spec.lang), lines) for one in ATTACKS if one.name in SHARED}
    made = {**shared, **{name: make(spec, lines) for name, make in OWN.items()}}
    return {name: text for name, text in made.items() if text is not None}


def faults(spec: VerseSpec, stanza: Stanza, *, compose: Compose = "product", index: str = "") -> list[str]:
    """What is wrong with the reward of a task: a stanza by people that earns too little, or an attack that earns too much.

    The stanza does not know of the theme and the author that a task asks for, so it is judged without them.
    """
    plain = VerseSpec(spec.lang, spec.form, spec.prompt, spec.difficulty)
    human = judge(plain, stanza.text, compose=compose, index=index, own=True)
    found = [] if human.total >= LEAST else [f"{stanza.source}: {human.total:.2f}, {dict(human.parts)}"]
    for name, text in attacks_on(spec, stanza).items():
        earned = judge(spec, text, compose=compose, index=index)
        if earned.total > MOST:
            found.append(f"{name}: {earned.total:.2f}, {dict(earned.parts)}")
    return found
