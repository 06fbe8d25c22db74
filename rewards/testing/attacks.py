"""Red team: attacks that try to earn a reward without better verse, and how much each of them earns.

An attack spoils a human poem, so it must never score above that poem. Most rewards cannot notice some attacks (``meter`` does not look
at rhyme); another reward has to. ``red_team`` shows which attacks each reward notices.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rlpoet.languages import code_of
from rlpoet.prosody.forms import form
from rlpoet.protocols import Reward
from rlpoet.text import split_poem
from rlpoet.types import Prompt

Example = tuple[Prompt, str]

HUMAN: tuple[Example, ...] = (
    # Baudelaire, La Beauté, 1857
    (Prompt("fr", "quatrain-abba"), """Je suis belle, ô mortels ! comme un rêve de pierre,
Et mon sein, où chacun s'est meurtri tour à tour,
Est fait pour inspirer au poète un amour
Éternel et muet ainsi que la matière."""),
    # Sor Juana Inés de la Cruz, Redondillas, 1689
    (Prompt("es", "redondilla"), """Hombres necios que acusáis
a la mujer sin razón,
sin ver que sois la ocasión
de lo mismo que culpáis:"""),
    # Gray, Elegy Written in a Country Churchyard, 1751
    (Prompt("en", "quatrain-abab"), """The curfew tolls the knell of parting day,
The lowing herd wind slowly o'er the lea,
The plowman homeward plods his weary way,
And leaves the world to darkness and to me."""),
)  # fmt: skip
COPIED: tuple[Example, ...] = (  # that a policy may have learned by heart; forms as above
    # Baudelaire, Correspondances, 1857
    (Prompt("fr", "quatrain-abba"), """La Nature est un temple où de vivants piliers
Laissent parfois sortir de confuses paroles ;
L'homme y passe à travers des forêts de symboles
Qui l'observent avec des regards familiers."""),
    # Sor Juana, the second of the Redondillas
    (Prompt("es", "redondilla"), """si con ansia sin igual
solicitáis su desdén,
¿por qué queréis que obren bien
si las incitáis al mal?"""),
    # Gray, the second stanza of the Elegy
    (Prompt("en", "quatrain-abab"), """Now fades the glimm'ring landscape on the sight,
And all the air a solemn stillness holds,
Save where the beetle wheels his droning flight,
And drowsy tinklings lull the distant folds;"""),
)  # fmt: skip
ALIKE = {  # words of one rhyme, none of them in the poems above
    "fr": "lumière prière poussière rivière carrière frontière clairière barrière".split(),
    "es": "canción pasión ilusión oración traición prisión visión corazón".split(),
    "en": "light night sight bright flight height might knight".split(),
}
HOMOGRAPHS = {"fr": "est", "es": "vino", "en": "tear"}  # east and is; wine and came; of the eye and to rip
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
BREAKS = "\u2028\v\f\x85\u2029"
END = "<|endoftext|>"


@dataclass(frozen=True)
class Attack:
    """One way to cheat.

    Attributes:
        name: a short description, for a table.
        make: from the form's letters, the language and the lines of a poem to the spoiled text; None if it cannot be made.
    """

    name: str
    make: Callable[[str, str, list[str]], str | None]


@dataclass(frozen=True)
class Finding:
    """The score of an attack and of the human poem; both are None if the prompt does not ask for the reward."""

    attack: str
    prompt: Prompt
    text: str
    earned: float | None
    human: float | None

    @property
    def verdict(self) -> str:
        """``closed`` (it costs a tenth of the poem's score or more), ``open``, ``above`` (a fault of the reward), or ``-`` (no score)."""
        if self.earned is None or not self.human:
            return "-"
        if self.earned > self.human + 1e-9:
            return "above"
        return "closed" if self.earned <= 0.9 * self.human else "open"


def red_team(
    reward: Reward | Callable[[Prompt, str], Reward], examples: Sequence[Example] = HUMAN, *, attacks: Sequence[Attack] | None = None
) -> list[Finding]:
    """Try every attack on a reward.

    Args:
        reward: a reward, or a function that makes one for each poem (an acrostic depends on the poem).
        examples: poems that keep their form, with their prompts.
    """
    findings = []
    for prompt, poem in examples:
        judge = reward if isinstance(reward, Reward) else reward(prompt, poem)
        poem_form, lines = form(prompt.form, prompt.lang), split_poem(poem)
        attempts = [(attack.name, attack.make(poem_form.letters, code_of(prompt.lang), lines)) for attack in attacks or ATTACKS]
        cheats = [(name, text) for name, text in attempts if text is not None]
        human, *earned = judge.score([prompt] * (1 + len(cheats)), [poem, *(text for _, text in cheats)])
        findings += [Finding(name, prompt, text, score, human) for (name, text), score in zip(cheats, earned, strict=True)]
    return findings


def verdicts(findings: Sequence[Finding]) -> dict[str, str]:
    """Attack -> its worst verdict over the poems: ``above``, else ``open``, else ``closed``, else ``-``."""
    order = ("above", "open", "closed", "-")
    worst: dict[str, str] = {}
    for one in findings:
        worst[one.attack] = min(worst.get(one.attack, "-"), one.verdict, key=order.index)
    return worst


def red_team_table(rewards: Sequence[tuple[str, Reward | Callable[[Prompt, str], Reward]]], examples: Sequence[Example] = HUMAN) -> str:
    """A Markdown table with a row per attack and a column per reward: the worst verdict, and the mean share of the score that is left."""
    return findings_table([(name, red_team(reward, examples)) for name, reward in rewards])


def findings_table(columns: Sequence[tuple[str, Sequence[Finding]]]) -> str:
    """The same of attacks that were tried already, by the name of the reward."""
    rows = ["| attack | " + " | ".join(name for name, _ in columns) + " |", "| --- " * (1 + len(columns)) + "|"]
    for attack in ATTACKS:
        cells = []
        for _, found in columns:
            own = [one for one in found if one.attack == attack.name]
            shares = [one.earned / one.human for one in own if one.earned is not None and one.human]
            verdict = verdicts(own).get(attack.name, "-")
            cells.append(f"{verdict} {sum(shares) / len(shares):.2f}" if shares else verdict)
        rows.append(f"| {attack.name} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


# -- the attacks ------------------------------------------------------------------------------------


def end_word(line: str) -> str:
    """The last word of a line as spelt, or empty."""
    words = WORD.findall(line)
    return words[-1] if words else ""


def ending_with(line: str, word: str) -> str:
    """A line with another last word; keeps the punctuation after it.

    >>> ending_with("To put in words the grief I feel;", "night")
    'To put in words the grief I night;'
    """
    words = list(WORD.finditer(line))
    return f"{line[: words[-1].start()]}{word}{line[words[-1].end() :]}" if words else f"{line} {word}".strip()


def _rhymed(letters: str, lines: list[str], dress: Callable[[str], str]) -> str:
    """Every line with the last word of the first line of its letter, spelt in another way."""
    first = {letter: end_word(lines[letters.index(letter)]) for letter in letters}
    return "\n".join(
        line if letter == "x" or n == letters.index(letter) else ending_with(line, dress(first[letter]))
        for n, (letter, line) in enumerate(zip(letters, lines, strict=True))
    )


def _monorhyme(letters: str, lang: str, lines: list[str]) -> str | None:
    words = ALIKE.get(lang, [])
    enough = len(set(letters) - {"x"}) > 1 and len(words) >= len(lines)
    return "\n".join(ending_with(line, word) for line, word in zip(lines, words, strict=False)) if enough else None


def _homograph(letters: str, lang: str, lines: list[str]) -> str | None:
    if lang not in HOMOGRAPHS:
        return None
    return "\n".join(
        ending_with(line, HOMOGRAPHS[lang]) if letter == letters.strip("x")[0] else line
        for letter, line in zip(letters, lines, strict=True)
    )


def _gibberish(line: str) -> str:
    """Letters that form no word, except the line's last word."""
    return ending_with(WORD.sub(lambda match: "zqxvkw"[: len(match[0])], line), end_word(line))


def _capitalised(line: str) -> str:
    """The same letters as names: each word but the last has a capital."""
    return ending_with(WORD.sub(lambda match: "Zqxvkw"[: len(match[0])], line), end_word(line))


def _invented_name(line: str) -> str:
    """The line with an invented name for its second word, if it has three."""
    words = list(WORD.finditer(line))
    return f"{line[: words[1].start()]}Zorvik{line[words[1].end() :]}" if len(words) > 2 else line


def _salad(line: str) -> str:
    """The line's words in alphabetical order, except the last word."""
    *words, last = WORD.findall(line) or [""]
    return " ".join([*sorted(words, key=str.lower), last])


def _foreign_verse(letters: str, lang: str, lines: list[str]) -> str | None:
    """As many lines of human verse in another language."""
    foreign = [split_poem(text) for prompt, text in HUMAN if prompt.lang != lang]
    return "\n".join(foreign[0]) if len(foreign[0]) == len(lines) else None


def _copied_verse(letters: str, lang: str, lines: list[str]) -> str | None:
    """A well-known stanza with the same scheme."""
    fitting = (text for prompt, text in COPIED if prompt.lang == lang and form(prompt.form, prompt.lang).letters == letters)
    return next((text for text in fitting if text != "\n".join(lines)), None)


def _each(change: Callable[[str], str]) -> Callable[[str, str, list[str]], str]:
    return lambda letters, lang, lines: "\n".join(map(change, lines))


ATTACKS = (
    Attack("nothing", lambda letters, lang, lines: ""),
    Attack("blank lines", lambda letters, lang, lines: "\n \n" * len(lines)),
    Attack("signs alone", _each(lambda line: "?!… — 12")),
    Attack("one letter a line", _each(lambda line: end_word(line)[:1])),
    Attack("one-word lines", _each(end_word)),
    Attack("one line again and again", lambda letters, lang, lines: "\n".join([lines[0]] * len(lines))),
    Attack("the same end word", lambda letters, lang, lines: _rhymed(letters, lines, str)),
    Attack(
        "the same end word, dressed up", lambda letters, lang, lines: _rhymed(letters, lines, lambda word: f"«{word.upper()}\u200b» 7 !!")
    ),
    Attack("a homograph", _homograph),
    Attack("monorhyme", _monorhyme),
    Attack("invented end words", _each(lambda line: ending_with(line, f"zq{end_word(line)}"))),
    Attack("gibberish that ends well", _each(_gibberish)),
    Attack("gibberish in capitals that ends well", _each(_capitalised)),
    Attack("an invented name in every line", _each(_invented_name)),
    Attack("word salad that ends well", _each(_salad)),
    Attack("la la la", _each(lambda line: ending_with(WORD.sub("la", line), end_word(line)))),
    Attack("very long lines", _each(lambda line: f"{' '.join([line] * 40)}")),
    Attack("another language", _foreign_verse),
    Attack("a line too few", lambda letters, lang, lines: "\n".join(lines[:-1])),
    Attack("a line too many", lambda letters, lang, lines: "\n".join([*lines, lines[0]])),
    Attack("the poem twice", lambda letters, lang, lines: "\n".join([*lines, "", *lines])),
    Attack("lines swapped", lambda letters, lang, lines: "\n".join([*lines[1:], lines[0]])),
    Attack("breaks moved by a word", lambda letters, lang, lines: _shifted(lines)),
    Attack(
        "breaks that are none", lambda letters, lang, lines: "".join(f"{line}{BREAKS[n % len(BREAKS)]}" for n, line in enumerate(lines))
    ),
    Attack("lines broken in two", _each(lambda line: "\n".join(_halves(line)))),
    Attack("a mark of the end in every line", _each(lambda line: f"{line} {END}")),
    Attack("more after the mark of the end", lambda letters, lang, lines: "\n".join([*lines, END, *lines])),
    Attack("copied verse", _copied_verse),
)


def _shifted(lines: list[str]) -> str:
    """Moves the first word of each line to the line before; that of the first line goes to the last."""
    words = [line.split() for line in lines]
    after = [*words[1:], words[0]]
    return "\n".join(" ".join([*words_here[1:], *following[:1]]) for words_here, following in zip(words, after, strict=True))


def _halves(line: str) -> tuple[str, str]:
    words = line.split()
    return " ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])
