"""The format of a plain language model: a line that describes the poem, an empty line, then the poem as printed.

Any Hugging Face causal LM can be a policy this way. It writes left to right in its own tokens and has no plan marks::

    Poème de Victor Hugo. Vers de 12 syllabes, rimes abab.

    Demain, dès l'aube, à l'heure où blanchit la campagne,
    ...

Every line ends with a line break; a stanza break adds one more; the tokenizer's end-of-text token follows the last line. A model
that never read such text need not know this: the grammar forces the number of lines, the stanza breaks and the end.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policies.formats.plain_grammar import Pieces, PlainGrammar
from policies.formats.plan import with_plans
from policies.formats.verse import BOS, END
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.prosody.annotate import Group, relabel
from rlpoet.prosody.forms import form, form_to_write
from rlpoet.text import canonical, split_poem, write_atomically
from rlpoet.types import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FILE = "plain_format.json"
HEADERS = {  # poem, of whom, lengths, scheme
    "fr": ("Poème", " de {}", "Vers de {} syllabes", "rimes {}"),
    "es": ("Poema", " de {}", "Versos de {} sílabas", "rima {}"),
    "en": ("Poem", " by {}", "Lines of {} syllables", "rhymed {}"),
}
ONLY = {  # a request to one that talks
    "fr": "Écris ce poème et rien d'autre. {}",
    "es": "Escribe este poema y nada más. {}",
    "en": "Write this poem and nothing else. {}",
}
FIELDS = ("form", "scheme", "syllables", "author", "theme", "language")
FIELD = re.compile("{(" + "|".join(FIELDS) + ")}")
PARTS = re.compile(f"({re.escape(BOS)}|{re.escape(END)})")
CHUNKS = re.compile(r"[^\n]*\n+|[^\n]+")


@dataclass(frozen=True)
class PlainFormat:
    """Ordinary text.

    Attributes:
        lang: language of the header, and of the prompts that a run makes; a prompt may also be in another language.
        authors: authors it was tuned on, commonest first. A prompt may name anybody, since a name is words to the model, not a mark.
        template: text that asks for a poem, instead of the header, with ``{form}``, ``{scheme}``, ``{syllables}``, ``{author}``,
            ``{theme}`` and ``{language}`` where these go.
        theme: what stands for ``{theme}``.
        examples: poems that stand before the one that is asked for, each with the request that it answers: name of the form, author or
            "", text. A prompt shows those of its form.
        turns: what a model that was taught to talk has before the first request, between a request and its answer, and between an answer
            and the next request (``chat_turns``); empty for plain text.
        planned: whether each line stands after its last word (``policies.formats.plan``), as ``finetune --format planned`` teaches it.
    """

    lang: str = "en"
    authors: tuple[str, ...] = ()
    template: str = ""
    theme: str = ""
    examples: tuple[tuple[str, str, str], ...] = ()
    turns: tuple[str, ...] = ()
    planned: bool = False

    def header(self, *, author: str | None, meter: str, scheme: str) -> str:
        """The line that describes the poem, and an empty line; unknown properties are left out.

        >>> PlainFormat("fr").header(author="Victor Hugo", meter="12", scheme="abab")
        'Poème de Victor Hugo. Vers de 12 syllabes, rimes abab.\\n\\n'
        >>> PlainFormat("fr").header(author="Émile Nelligan", meter="", scheme="").strip()
        "Poème d'Émile Nelligan."
        >>> PlainFormat("en").header(author=None, meter="", scheme="xxx")
        'Poem.\\n\\n'
        """
        poem, of, lengths, rhymes = HEADERS.get(self.lang.partition("-")[0], HEADERS["en"])
        rhymed = scheme.replace("x", "").strip() != ""
        shape = ", ".join([*([lengths.format(meter)] if meter else []), *([rhymes.format(scheme)] if rhymed else [])])
        name = " ".join(author.split()) if author else ""
        if poem == "Poème" and name[:1].lower() in tuple("aeiouâàéèêëîïôœæ"):
            of = " d'{}"
        return f"{poem}{of.format(name) if name else ''}.{' ' + shape[:1].upper() + shape[1:] + '.' if shape else ''}\n\n"

    def request(self, *, author: str | None, meter: str, scheme: str, name: str = "") -> str:
        """What asks for one poem: the header, or the template filled in; in turns, as what a user says.

        >>> ask = PlainFormat("fr", template="Un {form} en {syllables}, {scheme}, à la {author}.").request
        >>> ask(author="Hugo", meter="12", scheme="aa", name="couplet")
        'Un couplet en 12, aa, à la Hugo.\\n\\n'
        """
        if self.template:
            values = dict(zip(FIELDS, (name, scheme, meter, author or "", self.theme, self.lang), strict=True))
            text = FIELD.sub(lambda match: values[match[1]], self.template).strip() + "\n\n"
        else:
            text = self.header(author=author, meter=meter, scheme=scheme)
            if self.turns:
                text = ONLY.get(self.lang.partition("-")[0], ONLY["en"]).format(text)
        return text.strip() if self.turns else text

    def _asked(self, before: str, request: str) -> str:
        return f"{before}{request}{self.turns[1]}" if self.turns else request

    def breaks(self, scheme: str) -> list[str]:
        """The line breaks after each line of a scheme: one, or two at the end of a stanza.

        >>> PlainFormat().breaks("aa b")
        ['\\n', '\\n\\n', '\\n']
        """
        stanzas = [len(stanza) for stanza in scheme.split(" ")]
        out = []
        for number, size in enumerate(stanzas):
            out += ["\n"] * (size - 1) + ["\n\n" if number + 1 < len(stanzas) else "\n"]
        return out

    def write_lines(self, lines: Sequence[str], scheme: str) -> str:
        """Lines as printed, each after its plan if there are plans; a line beyond the scheme ends with one break."""
        breaks = [*self.breaks(scheme)[: len(lines)], *["\n"] * (len(lines) - len(scheme.replace(" ", "")))]
        spelled = [canonical(line, self.lang) for line in lines]
        return "".join(line + gap for line, gap in zip(with_plans(spelled, self.lang) if self.planned else spelled, breaks, strict=True))

    def write(self, group: Group, author: str | None = None) -> tuple[str, str]:
        """``(header, body)`` of a group as the policy reads it."""
        request = self.request(author=author, meter=group.meter, scheme=group.scheme)
        return self._asked(self.turns[0] if self.turns else "", request), self.write_lines(group.lines, group.scheme) + END

    def write_prompt(self, prompt: Prompt) -> str:
        """Request and opening lines: what the policy continues.

        Raises:
            RlpoetError: see ``write_parts``.
        """
        return "".join(self.write_parts(prompt))

    def write_parts(self, prompt: Prompt) -> tuple[str, str]:
        """What stands before the poem, and its opening lines.

        Raises:
            RlpoetError: more opening lines than the form has, or a form that policies cannot be asked for.
        """
        poem_form = form_to_write(prompt.form, prompt.lang)
        if len(prompt.opening) >= poem_form.n_lines:
            raise RlpoetError(f"opening: {len(prompt.opening)} lines; expected fewer than the {poem_form.n_lines} of {poem_form.name!r}.")
        in_language = self if prompt.lang == self.lang else replace(self, lang=prompt.lang)
        lengths = [each[0] for each in poem_form.meters]
        meter = str(lengths[0]) if len(set(lengths)) == 1 else ".".join(map(str, lengths))
        scheme = relabel(poem_form.scheme)
        shown = ""
        before, _, between = self.turns or ("", "", "")
        for name, author, text in self.examples:
            if name == poem_form.name:
                request = in_language.request(author=author or None, meter=meter, scheme=scheme, name=name)
                poem = in_language.write_lines(split_poem(text), scheme)
                shown += self._asked(before, request) + (poem.rstrip("\n") if self.turns else poem + "\n")
                before = between
        request = in_language.request(author=prompt.author, meter=meter, scheme=scheme, name=poem_form.name)
        return BOS + shown + self._asked(before, request), in_language.write_lines(prompt.opening, scheme)

    def save(self, folder: str | Path) -> None:
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1)
        write_atomically(Path(folder) / FILE, text + "\n")

    @classmethod
    def load(cls, folder: str | Path, *, lang: str | None = None) -> PlainFormat:
        """The format saved beside a model; without one, a format in the language that its card names, or English.

        Args:
            lang: language to write in, instead of any of these.

        Raises:
            RlpoetError: a file of another shape.
        """
        path = Path(folder) / FILE
        try:
            item = json.loads(path.read_text(encoding="utf-8"))
            examples = tuple((str(name), str(author), str(text)) for name, author, text in item.get("examples", ()))
            turns = tuple(map(str, item.get("turns", ())))
            planned = item.get("planned", False) is True
            loaded = cls(str(item["lang"]), tuple(item["authors"]), str(item.get("template", "")), "", examples, turns, planned)
        except FileNotFoundError:
            loaded = cls(_language_of_card(Path(folder)) or "en")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise RlpoetError(f"{path}: cannot be read ({error!r:.120}); expected the file a policy was saved with. Delete it.") from None
        return replace(loaded, lang=lang) if lang else loaded


class PlainCodec:
    """A plain format with the tokenizer of its model.

    Text is encoded line by line, each line after a line break. So the ids of a poem are the joined ids of its lines, whatever a
    tokenizer adds at the beginning of a text.

    Args:
        stops: further ids at which the model stops, as its generation settings list them: a text drawn freely ends at the first of any.

    Raises:
        RlpoetError: a tokenizer without an end-of-text token, without a token to pad with, or that loses line breaks.
    """

    line_room = 40
    any_author = True
    word_first = False

    def __init__(self, plain_format: PlainFormat, tokenizer: PreTrainedTokenizerBase, *, stops: Sequence[int] = ()) -> None:
        self.format, self.tokenizer = plain_format, tokenizer
        self._requests: dict[int, set[int]] = {}  # length -> hashes of the requests written so far
        where = f"{tokenizer.name_or_path or 'tokenizer'}"
        if tokenizer.eos_token_id is None and stops:
            tokenizer.eos_token = tokenizer.convert_ids_to_tokens(stops[0])
        if tokenizer.eos_token_id is None:
            raise RlpoetError(f"{where}: no end-of-text token; expected a tokenizer with eos_token. Set it in tokenizer_config.json.")
        self.end = int(tokenizer.eos_token_id)
        self.ends = frozenset({self.end, *stops})
        self.bos = self.end if tokenizer.bos_token_id is None else int(tokenizer.bos_token_id)
        self.pad = _padding(tokenizer, where)
        self._lead = self._raw(["\n"])[0]
        if "\n" not in tokenizer.decode(self._raw(["a\nb"])[0]):
            raise RlpoetError(f"{where}: loses line breaks; expected a tokenizer that keeps them. Choose another model.")

    def start_ids(self, prompt: Prompt) -> list[int]:
        """The tokens that a poem of this prompt begins with; ``read`` knows them from those of the poem."""
        request, opening = self.many_ids(self.format.write_parts(prompt))
        self._requests.setdefault(len(request), set()).add(hash(tuple(request)))
        return [*request, *opening]

    def _begin(self, ids: Sequence[int]) -> int | None:
        """Where the poem begins in a token sequence; None for a request that this codec has not written."""
        lengths = sorted((n for n in self._requests if n <= len(ids)), reverse=True)
        return next((n for n in lengths if hash(tuple(ids[:n])) in self._requests[n]), None)

    def many_ids(self, texts: Sequence[str]) -> list[list[int]]:
        rows = [[part for piece in PARTS.split(text) for part in ([piece] if PARTS.match(piece) else _chunks(piece))] for text in texts]
        ids = {BOS: [self.bos], END: [self.end]}
        new = list(dict.fromkeys(part for row in rows for part in row if part not in ids))
        n = len(self._lead)
        for part, part_ids in zip(new, self._raw(["\n" + part for part in new]), strict=True):
            ids[part] = part_ids[n:] if part_ids[:n] == self._lead else self._raw([part])[0]
        return [[token for part in row for token in ids[part]] for row in rows]

    def rest(self, prompt: Prompt, text: str) -> str:
        in_language = replace(self.format, lang=prompt.lang)
        lines, scheme = split_poem(text), relabel(form(prompt.form, prompt.lang).scheme)
        n_given = len(in_language.write_lines(prompt.opening, scheme))
        opened = [*prompt.opening, *lines[len(prompt.opening) :]]
        return in_language.write_lines(opened, scheme)[n_given:] + END

    def read(self, ids: Sequence[int]) -> str:
        begin = self._begin(ids)
        text_ids = list(ids)[begin if begin is not None else int(len(ids) > 0 and ids[0] == self.bos) :]
        stop = next((place for place, i in enumerate(text_ids) if i in self.ends), len(text_ids))
        text_ids = [i for i in text_ids[:stop] if i < len(self.pieces.breaks) and i != self.pad]
        lines: list[list[int]] = [[]]
        gaps = []
        for i in text_ids:  # line by line: a break among bytes of half a letter would be decoded as a part of it
            n = self.pieces.breaks[i]
            if n <= 0 or not self.pieces.bare[i]:
                lines[-1].append(i)
            if n > 0:
                lines.append([])
                gaps.append("\n" * n)
        texts = self.tokenizer.batch_decode(lines, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        text = "".join(line.strip() + gap for line, gap in zip(texts, [*gaps, ""], strict=True))
        return (text if begin is not None else text.partition("\n\n")[2]).rstrip()

    def read_many(self, rows: Sequence[Sequence[int]]) -> list[str]:
        return [self.read(ids) for ids in rows]

    def line_ends(self, ids: Sequence[int], start: int) -> list[int]:
        ends, text = [], False
        for i in range(start, len(ids)):
            is_piece = ids[i] < len(self.pieces.breaks)  # rows that only round the vocabulary up spell nothing
            words = is_piece and self.pieces.words[ids[i]]
            if ids[i] in self.ends or (is_piece and self.pieces.breaks[ids[i]] > 0):
                if text or words:
                    ends.append(i - 1)
                text = False
            elif words:
                text = True
        return ends

    def end_words(self, ids: Sequence[int], start: int) -> list[int]:
        return self.line_ends(ids, start)

    def sounds(self, ids: Sequence[int], start: int) -> None:
        return None

    def ends_line(self, token: int) -> bool:
        return token in self.ends or (token < len(self.pieces.breaks) and self.pieces.breaks[token] > 0)

    def spellings(self, word: str) -> list[list[int]]:
        capital = word.capitalize()
        n = len(self.many_ids(["a"])[0])
        inside = [ids[n:] for ids in self.many_ids([f"a {word}", f"a {capital}"])]  # many tokenizers glue the space to the word
        return [list(ids) for ids in dict.fromkeys(map(tuple, [*inside, *self.many_ids([word, capital])])) if ids]

    def n_tokens(self, words: str) -> int:
        return len(self.many_ids([words])[0])

    @functools.cached_property
    def marks(self) -> Sequence[int]:
        return [i for i, breaks in enumerate(self.pieces.breaks) if breaks]

    def grammar(self, prompts: Sequence[Prompt], n_pieces: int, *, allow_identical_rhyme: bool = False) -> Any:
        gaps = [self.format.breaks(relabel(form(p.form, p.lang).scheme))[len(p.opening) :] for p in prompts]
        return PlainGrammar(self.pieces, gaps, end=self.end, n_pieces=n_pieces, longest=self.line_room - 2)

    @functools.cached_property
    def pieces(self) -> Pieces:
        """The text properties of each token of the vocabulary that matter for lines."""
        return Pieces.of(self.tokenizer, special={*self.ends, self.bos, self.pad})

    def _raw(self, texts: Sequence[str]) -> list[list[int]]:
        return [list(ids) for ids in self.tokenizer(list(texts), add_special_tokens=False).input_ids] if texts else []


def _chunks(text: str) -> list[str]:
    """Lines with the breaks that end them.

    >>> _chunks("a\\nb\\n\\nc")
    ['a\\n', 'b\\n\\n', 'c']
    """
    return CHUNKS.findall(text)


def _padding(tokenizer: PreTrainedTokenizerBase, where: str) -> int:
    """A padding id that verse never needs, since padding is masked in sampling: the tokenizer's own, or a substitute set here."""
    end = tokenizer.eos_token_id
    byte_20 = ("<0x14>", "Ĕ")  # as two kinds of tokenizers spell a control character
    for token in (tokenizer.pad_token, tokenizer.unk_token, tokenizer.bos_token, *byte_20):
        number = None if token is None else tokenizer.convert_tokens_to_ids(token)
        if number is not None and number != end and tokenizer.convert_ids_to_tokens(number) == token:
            tokenizer.pad_token = token
            return int(number)
    raise RlpoetError(f"{where}: no token to pad with; expected pad_token apart from eos_token. Set it in tokenizer_config.json.")


def check_template(text: str) -> str:
    """A template, if all its fields are known.

    Raises:
        RlpoetError: a field that is none, or none at all.

    >>> check_template("Write a {form}.")
    'Write a {form}.'
    """
    found = re.findall(r"{(\w*)}", text)
    for name in found:
        if name not in FIELDS:
            raise UnknownName("field of a prompt template", name, FIELDS)
    if not found:
        raise RlpoetError("prompt template: no field in it, so that all forms are asked for alike; expected {form} or {scheme}, say.")
    return text


def chat_turns(tokenizer: PreTrainedTokenizerBase) -> tuple[str, str, str]:
    """What a tokenizer's chat template has before, between and after what is said: ``PlainFormat.turns``.

    Raises:
        RlpoetError: it has none, or one that a request does not stand in as it is.
    """
    where = f"{tokenizer.name_or_path or 'tokenizer'}"
    if not getattr(tokenizer, "chat_template", None):
        raise RlpoetError(f"--chat: {where} has no chat template; expected a model that was taught to talk. Leave it out.")
    said = ("\ue000request\ue001", "\ue000answer\ue001", "\ue000again\ue001")
    roles = ("user", "assistant", "user")
    talk = [{"role": role, "content": text} for role, text in zip(roles, said, strict=True)]
    try:
        first = tokenizer.apply_chat_template(talk[:1], tokenize=False, add_generation_prompt=True)
        whole = tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
    except Exception as error:  # of a template in jinja: any kind
        raise RlpoetError(f"--chat: the chat template of {where} fails ({error!s:.120}); expected one that takes a request.") from error
    before, _, answer = first.partition(said[0])
    between = whole.partition(said[1])[2].partition(said[2])[0]
    if said[0] not in first or said[1] not in whole or said[2] not in whole:
        raise RlpoetError(f"--chat: the chat template of {where} changes what is said; expected one that keeps it. Leave out --chat.")
    return before.removeprefix(tokenizer.bos_token or ""), answer, between


def _language_of_card(folder: Path) -> str | None:
    """The ``language:`` of a model card's front matter, if rlpoet has that language."""
    try:
        text = (folder / "README.md").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    front = text.split("---")[1] if text.startswith("---") else ""
    match = re.search(r"^language:\s*(?:\n\s*-\s*|\[\s*)?[\"']?([a-z]{2})\b", front, re.MULTILINE)
    return match[1] if match and match[1] in HEADERS else None
