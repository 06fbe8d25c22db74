"""How a poem becomes tokens: a header, and for every line its rhyme before its words.

A tiny LM that writes left to right meets its rhyme last, a dozen tokens after it had to be planned, and
rhymes at chance. Here a line names its place in the scheme, then the sound of its rhyme, and then runs
*backwards* from its last word::

    <|bos|><|author=Charles Baudelaire|><|m=12|><|abab|>
    <|A|><|~ɔ̃bʁe|>ombres les dans ...<|B|><|~wa|>bois des ...<|a|><|~ɔ̃bʁe|>sombres ...<|b|><|~wa|>...<|end|>

With a countdown, words are followed now and then by the number of syllables that are left, ``ombres les <|9|> dans ...``: a tiny
model that has to count to twelve in pieces of words loses count, one that reads its last count does not.

A capital opens a rhyme family, the small letter answers it: copying one token and picking a word of that sound
are both short-range, and both learned within minutes. The marks are stripped from the poem. ``order="forward"``
and ``plans=False`` switch the two ideas off, for ablation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.prosody.annotate import Group, relabel, tail_keys
from rlpoet.prosody.countdown import syllables_before
from rlpoet.prosody.forms import form
from rlpoet.text import canonical
from rlpoet.types import Prompt

FILE = "verse_format.json"
BOS, END, PAD, BREAK = "<|bos|>", "<|end|>", "<|pad|>", "<|br|>"
NO_AUTHOR, NO_METER, NO_SCHEME, NO_KEY, NO_RHYME = "<|author|>", "<|m|>", "<|scheme|>", "<|~|>", "<|x|>"
RHYME_PAIRS = "<|school|>"  # header of rhyme-pair data (``policies.pretraining.rhyme_pairs``); stored with policies, so it stays
EARLIER = {"school": "rhyme_pairs"}  # keys of files by an earlier release
LETTERS = "abcdefghijklmnop"
GLIDED = ("wa", "wɛ̃", "jɛ̃")  # what tails begin with that rhyme with nothing but themselves (French oi, oin, ien)
MOST_LEFT = 16  # counts with a mark of their own; longer lines begin to count when they have come so far

_ELISION = re.compile(r"[^\s'-]*'(?=\w)|\S+")


def _split(line: str, lang: str) -> list[str]:
    """Words of a canonical line; French closes up ``ombre ;`` and parts ``l'|ombre``."""
    if lang != "fr":
        return line.split()
    return _ELISION.findall(re.sub(r" ([;:!?»])", r"\1", line).replace("« ", "«"))


def _join(units: Sequence[str], lang: str) -> str:
    if lang != "fr":
        return " ".join(units)
    text = ""
    for unit in units:
        text += unit if not text or text.endswith("'") else " " + unit
    return canonical(text, lang)


def lengths_of(meter: str, n_lines: int) -> list[int | None]:
    """The length each line of a group should have, by the group's label.

    >>> lengths_of("12", 2), lengths_of("8.6", 2), lengths_of("", 2)
    ([12, 12], [8, 6], [None, None])
    """
    lengths: list[int | None] = [int(part) for part in meter.split(".")] if meter else [None]
    return lengths if len(lengths) == n_lines else lengths[:1] * n_lines


@dataclass(frozen=True)
class VerseFormat:
    """The marks a policy knows, and how it orders a line. Saved beside the tokenizer.

    Attributes:
        lang: language of the verse.
        authors, meters, schemes, keys: what has a token of its own, commonest first.
        order: ``backward`` (last word first) or ``forward``.
        plans: whether each line is preceded by its rhyme tail.
        countdown: syllables after which a line says how many are left, at the next word's end; 0 for never.
        rhyme_pairs: whether there is a mark for rhyme-pair data.
    """

    lang: str
    authors: tuple[str, ...] = ()
    meters: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    order: str = "backward"
    plans: bool = True
    countdown: int = 0
    rhyme_pairs: bool = False

    @property
    def marks(self) -> list[str]:
        """All special tokens, in the order of their ids."""
        letters = [f"<|{c}|>" for letter in LETTERS for c in (letter.upper(), letter)]
        return [
            PAD, BOS, END, BREAK, NO_AUTHOR, NO_METER, NO_SCHEME, NO_KEY, NO_RHYME, *letters,
            *(f"<|author={a}|>" for a in self.authors), *(f"<|m={m}|>" for m in self.meters),
            *(f"<|{s}|>" for s in self.schemes), *(f"<|~{k}|>" for k in self.keys if self.plans), *self.counts,
            *([RHYME_PAIRS] if self.rhyme_pairs else []),
        ]  # fmt: skip

    @property
    def counts(self) -> list[str]:
        """Marks for what is left of a line."""
        return [f"<|{n}|>" for n in range(1, MOST_LEFT + 1)] if self.countdown else []

    @property
    def line_marks(self) -> list[str]:
        """Marks that begin a line of verse."""
        return [NO_RHYME, *(f"<|{c}|>" for letter in LETTERS for c in (letter.upper(), letter))]

    def header(self, *, author: str | None, meter: str, scheme: str) -> str:
        """Control codes of a group; what has no token of its own gets the neutral one."""
        return (
            (f"<|author={author}|>" if author in self.authors else NO_AUTHOR)
            + (f"<|m={meter}|>" if meter in self.meters else NO_METER)
            + (f"<|{scheme}|>" if scheme in self.schemes else NO_SCHEME)
        )

    def line_places(self, scheme: str) -> list[str]:
        """The mark each line of a scheme begins with, a stanza break before it where there is one."""
        places, opened, gap = [], set(), ""
        for letter in scheme:
            if letter == " ":
                gap = BREAK
                continue
            if letter == "x" or letter not in LETTERS:
                mark = NO_RHYME
            else:
                mark = f"<|{letter}|>" if letter in opened else f"<|{letter.upper()}|>"
                opened.add(letter)
            places.append(gap + mark)
            gap = ""
        return places

    def write_line(self, line: str, key: str, target: int | None = None) -> str:
        """The words of a line in the policy's order, after the mark of its tail.

        Args:
            target: the length the line should have; without one its likeliest length is counted down.
        """
        line = canonical(line, self.lang)
        units = _split(line, self.lang)
        if self.order == "backward":
            units.reverse()
        return (self.plan(key) if self.plans else "") + ("".join(self._counted(line, units, target)) if self.countdown else " ".join(units))

    def last_word(self, line: str) -> str:
        """What a canonical line ends in, as ``write_line`` parts it, signs included.

        >>> VerseFormat("fr").last_word("La fontaine de l'ombre !"), VerseFormat("es").last_word("la luz, la sombra.")
        ('ombre!', 'sombra.')
        """
        return _split(line, self.lang)[-1]

    def left(self, line: str, target: int) -> list[int] | None:
        """Syllables of a canonical line that are left after each of its units in the policy's order; None if it can be read in ``target``.

        >>> VerseFormat("fr", countdown=2).left("Seule dans l'ombre", 12), VerseFormat("fr", countdown=2).left("Seule dans l'ombre", 4)
        ([4, 3, 3, 2, 0], None)
        """
        units = _split(line, self.lang)
        if self.order == "backward":
            units.reverse()
        before, total = self._before(line, units, target)
        if total == target:
            return None
        return [total, *(count if self.order == "backward" else total - count for count in before)]

    def _counted(self, line: str, units: Sequence[str], target: int | None) -> list[str]:
        """The words, each with the space before it, and counts among them.

        >>> "".join(VerseFormat("fr", countdown=2)._counted("Seule dans l'ombre", ["ombre", "l'", "dans", "Seule"], None))
        "ombre l' dans<|2|> Seule"
        """
        before, total = self._before(line, units, target)
        last = total
        out: list[str] = []
        for unit, count in zip(units, before, strict=True):
            left = count if self.order == "backward" else total - count
            out.append((" " if out else "") + unit)
            if 0 < left <= min(last - self.countdown, MOST_LEFT):
                out.append(f"<|{left}|>")
                last = left
        return out

    def _before(self, line: str, units: Sequence[str], target: int | None) -> tuple[tuple[int, ...], int]:
        """Syllables before the place where each unit is complete, units in the policy's order, and those of the whole line."""
        # offsets in the line with no space kept, since words and line space their signs differently
        letters, widths = "".join(line.split()), [len("".join(unit.split())) for unit in units]
        ends = list(accumulate(widths))
        places = [len(letters) - end for end in ends] if self.order == "backward" else ends
        offset = [i for i, letter in enumerate(line) if not letter.isspace()] + [len(line)]
        before = syllables_before(line, self.lang, [0, len(line), *(offset[place] for place in places)], target=target)
        return before[2:], before[1]

    def plan(self, key: str) -> str:
        """The mark of a rhyme tail, the neutral one if it has none.

        French policies from before plurals had a sign of their own learned ``as`` where the verse module now says ``a+s``, and those
        from before *oi*, *ien* and *oin* were told apart from *a* and *in* learned ``a`` where it says ``wa``.

        >>> VerseFormat("fr", keys=("as", "i+s")).plan("a+s"), VerseFormat("fr", keys=("as", "i+s")).plan("i+s")
        ('<|~as|>', '<|~i+s|>')
        >>> VerseFormat("fr", keys=("as",)).plan("wa+s"), VerseFormat("fr", keys=("as", "wa+s")).plan("wa+s")
        ('<|~as|>', '<|~wa+s|>')
        """
        names = [key, key.replace("+", "")]
        if key.startswith(GLIDED):
            names += [name[1:] for name in names]
        learned = next((name for name in names if name in self.keys), None)
        return NO_KEY if learned is None else f"<|~{learned}|>"

    def write(self, group: Group, author: str | None = None) -> tuple[str, str]:
        """``(header, body)`` of a group as the policy reads it."""
        places = self.line_places(group.scheme)
        lengths = lengths_of(group.meter, len(group.lines))
        rows = zip(places, group.lines, group.keys, lengths, strict=True)
        body = "".join(place + self.write_line(line, key, length) for place, line, key, length in rows)
        return self.header(author=author, meter=group.meter, scheme=group.scheme), body + END

    def write_prompt(self, prompt: Prompt) -> str:
        """Header, opening lines and the mark of the next line: what the policy continues.

        Raises:
            UnknownName: the author has no token (with the nearest that has).
            RlpoetError: another language, or more opening lines than the form has.
        """
        if prompt.lang != self.lang:
            raise RlpoetError(f"prompt: language {prompt.lang!r}; expected {self.lang!r}, the policy's own. Choose another policy.")
        poem_form = form(prompt.form, prompt.lang)
        if prompt.author is not None and prompt.author not in self.authors:
            raise UnknownName("author", prompt.author, self.authors)
        if len(prompt.opening) >= poem_form.n_lines:
            raise RlpoetError(f"opening: {len(prompt.opening)} lines; expected fewer than the {poem_form.n_lines} of {poem_form.name!r}.")
        scheme = relabel(poem_form.scheme)
        meter = self._meter_of([lengths[0] for lengths in poem_form.meters])
        text = BOS + self.header(author=prompt.author, meter=meter, scheme=scheme)
        places = self.line_places(scheme)
        keys = tail_keys(prompt.opening, poem_form.letters[: len(prompt.opening)], self.lang)
        for place, line, key, meters in zip(places, prompt.opening, keys, poem_form.meters, strict=False):
            text += place + self.write_line(line, key, meters[0])
        return text + places[len(prompt.opening)]  # the next line is begun, so that nothing can be added to a line that was given

    def _meter_of(self, lengths: Sequence[int]) -> str:
        return str(lengths[0]) if len(set(lengths)) == 1 else ".".join(map(str, lengths))

    def read_line(self, words: str) -> str:
        """A line of verse back from the policy's words.

        >>> VerseFormat("fr").read_line("ombre l' dans Seule")
        "Seule dans l'ombre"
        """
        units = words.split()
        return _join(units[::-1] if self.order == "backward" else units, self.lang)

    def save(self, folder: str | Path) -> None:
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1)
        (Path(folder) / FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> VerseFormat:
        """Read it back.

        Raises:
            RlpoetError: the folder holds no such file, or one of another shape.
        """
        path = Path(folder) / FILE
        try:
            item = json.loads(path.read_text(encoding="utf-8"))
            values: dict[str, Any] = {EARLIER.get(k, k): tuple(v) if isinstance(v, list) else v for k, v in item.items()}
            return cls(**values)
        except FileNotFoundError:
            raise RlpoetError(f"{folder}: no {FILE}; expected a policy trained by rlpoet.") from None
        except (json.JSONDecodeError, TypeError, UnicodeDecodeError) as error:
            raise RlpoetError(f"{path}: cannot be read ({error}); expected the file a policy was saved with.") from None
