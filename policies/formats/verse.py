"""How a poem becomes tokens: a header, then for each line its rhyme before its words.

A tiny model that writes left to right reaches the rhyme last, long after the words that should prepare it, and rhymes only by
chance. In this format a line begins with its place in the scheme and the sound of its rhyme. Its words then follow *backwards*, from
the last one::

    <|bos|><|author=Charles Baudelaire|><|m=12|><|abab|>
    <|A|><|~ɔ̃bʁe|>ombres les dans ...<|B|><|~wa|>bois des ...<|a|><|~ɔ̃bʁe|>sombres ...<|b|><|~wa|>...<|end|>

With a countdown, the number of remaining syllables follows some of the words: ``ombres les <|9|> dans ...``. A tiny model loses
count on the way to twelve; it can continue from the last count it wrote.

A capital letter begins a rhyme family, and the small letter marks its later lines. So the model only has to copy one token and
choose a word of that sound. Both are short-range and learned within minutes. The marks are removed from the poem.
``order="forward"`` and ``plans=False`` switch the two ideas off, for ablation.
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
from rlpoet.prosody.forms import form_to_write
from rlpoet.text import canonical, write_atomically
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
    """Words of a canonical line; in French, ``ombre ;`` is one unit and ``l'|ombre`` are two."""
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
    """The marks that a policy knows, and the order of words in a line. Saved beside the tokenizer.

    Attributes:
        lang: language of the verse.
        authors, meters, schemes, keys: values that have a mark, commonest first.
        order: ``backward`` (last word first) or ``forward``.
        plans: whether each line is preceded by its rhyme tail.
        countdown: interval, in syllables, at which a line states how many are left, at the next word's end; 0 for never.
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
        """Marks for the number of syllables left in a line."""
        return [f"<|{n}|>" for n in range(1, MOST_LEFT + 1)] if self.countdown else []

    @property
    def line_marks(self) -> list[str]:
        """Marks that begin a line of verse."""
        return [NO_RHYME, *(f"<|{c}|>" for letter in LETTERS for c in (letter.upper(), letter))]

    def header(self, *, author: str | None, meter: str, scheme: str) -> str:
        """Control codes of a group; a value without a mark gets the neutral one."""
        return (
            (f"<|author={author}|>" if author in self.authors else NO_AUTHOR)
            + (f"<|m={meter}|>" if meter in self.meters else NO_METER)
            + (f"<|{scheme}|>" if scheme in self.schemes else NO_SCHEME)
        )

    def line_places(self, scheme: str) -> list[str]:
        """The mark that begins each line of a scheme, with a stanza break before it where the scheme has one."""
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
        """The words of a line in the policy's order, after the mark of its rhyme tail.

        Args:
            target: length of the line, from which the countdown starts; by default its likeliest length.
        """
        line = canonical(line, self.lang)
        units = _split(line, self.lang)
        if self.order == "backward":
            units.reverse()
        return (self.plan(key) if self.plans else "") + ("".join(self._counted(line, units, target)) if self.countdown else " ".join(units))

    def last_word(self, line: str) -> str:
        """The last word of a canonical line, with punctuation, as ``write_line`` splits it.

        >>> VerseFormat("fr").last_word("La fontaine de l'ombre !"), VerseFormat("es").last_word("la luz, la sombra.")
        ('ombre!', 'sombra.')
        """
        return _split(line, self.lang)[-1]

    def units(self, line: str) -> list[str]:
        """The words of a canonical line, first to last, as they are written: a sign goes with its word, an elided word stands alone."""
        return _split(line, self.lang)

    def joined(self, units: Sequence[str]) -> str:
        """The line that units spell, first to last.

        >>> VerseFormat("fr").joined(VerseFormat("fr").units("l'ombre !"))
        "l'ombre !"
        """
        return _join(units, self.lang)

    def left(self, line: str, target: int) -> list[int] | None:
        """Syllables left after each unit of a canonical line, in the policy's order; None if the line fits ``target``.

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
        """The words, each with the space before it, and the counts between them.

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
        """Syllables up to the end of each unit, in the policy's order, and syllables of the whole line."""
        # offsets in the line with no space kept, since words and line space their signs differently
        letters, widths = "".join(line.split()), [len("".join(unit.split())) for unit in units]
        ends = list(accumulate(widths))
        places = [len(letters) - end for end in ends] if self.order == "backward" else ends
        offset = [i for i, letter in enumerate(line) if not letter.isspace()] + [len(line)]
        before = syllables_before(line, self.lang, [0, len(line), *(offset[place] for place in places)], target=target)
        return before[2:], before[1]

    def plan(self, key: str) -> str:
        """The mark of a rhyme tail; the neutral mark if it has none.

        Older French policies learned other marks: ``as`` for what is now ``a+s``, and ``a`` for what is now ``wa`` (*oi*, *ien*, *oin*).

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
            RlpoetError: another language, more opening lines than the form has, or a form that policies cannot be asked for.
        """
        if prompt.lang != self.lang:
            raise RlpoetError(f"prompt: language {prompt.lang!r}; expected {self.lang!r}, the policy's own. Choose another policy.")
        poem_form = form_to_write(prompt.form, prompt.lang)
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
        """A line of verse from words in the policy's order.

        >>> VerseFormat("fr").read_line("ombre l' dans Seule")
        "Seule dans l'ombre"
        """
        units = words.split()
        return _join(units[::-1] if self.order == "backward" else units, self.lang)

    def save(self, folder: str | Path) -> None:
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1)
        write_atomically(Path(folder) / FILE, text + "\n")

    @classmethod
    def load(cls, folder: str | Path) -> VerseFormat:
        """Read the format of a policy's folder.

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
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise RlpoetError(f"{path}: cannot be read ({error!s:.120}); expected the file a policy was saved with.") from None
