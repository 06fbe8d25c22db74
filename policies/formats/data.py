"""From poems to rows of token ids: annotate once, choose the marks, fill windows with whole groups."""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import random
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from policies.formats.codec import Format, codec_of
from policies.formats.parts import in_parts
from policies.formats.verse import BOS, VerseFormat
from rlpoet.corpus import Poem
from rlpoet.prosody.annotate import Group, annotate
from rlpoet.prosody.digest import verse_version
from rlpoet.text import canonical, whole_file

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100  # label torch's cross-entropy leaves out


@dataclass(frozen=True)
class Annotated:
    """A poem as groups whose rhymes close, and its author."""

    author: str | None
    groups: tuple[Group, ...]


def annotate_all(
    poems: Sequence[Poem], lang: str, *, cache: Path | None = None, tick: Callable[[int], None] = lambda n: None, processes: int = 1
) -> list[Annotated]:
    """Groups of every poem, in order. Reads the cache file instead, if it was made from the same poems by the same verse version.

    Args:
        cache: ``.jsonl.gz`` file; written atomically, ignored if it belongs to other poems, or is damaged.
        tick: called with the number of poems done, now and then.
        processes: that share many poems; few are annotated here.
    """
    cache_key = "".join(poem.fingerprint for poem in poems) + lang + verse_version()
    stamp = hashlib.sha1(cache_key.encode()).hexdigest()
    if cache is not None and cache.exists():
        try:
            with gzip.open(cache, "rt", encoding="utf-8") as file:
                if file.readline().strip() == stamp:
                    return [_from_json(json.loads(row)) for row in file]
        except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, RecursionError):
            cache.unlink()  # damaged: it is made again
    annotated: list[Annotated] = []
    for some in in_parts(functools.partial(_annotated_part, lang=lang), poems, processes=processes):
        annotated += some
        tick(len(annotated))
    if cache is not None:
        with whole_file(cache) as stream, gzip.GzipFile(filename="", fileobj=stream, mode="wb", compresslevel=3, mtime=0) as file:
            file.write(f"{stamp}\n".encode())  # without a name and a time: equal runs leave equal files
            for item in annotated:
                file.write((json.dumps(asdict(item), ensure_ascii=False) + "\n").encode("utf-8"))
    return annotated


def _annotated_part(poems: Sequence[Poem], lang: str) -> list[Annotated]:
    annotated = []
    for poem in poems:
        stanzas = [[line for line in (canonical(line, lang) for line in stanza) if any(map(str.isalpha, line))] for stanza in poem.stanzas]
        annotated.append(Annotated(poem.author, tuple(annotate([s for s in stanzas if s], lang))))
    return annotated


def _from_json(item: dict[str, object]) -> Annotated:
    groups = tuple(Group(tuple(g["lines"]), g["scheme"], tuple(g["keys"]), g["meter"]) for g in item["groups"])  # type: ignore[attr-defined]
    return Annotated(item["author"], groups)  # type: ignore[arg-type]


N_KEYS, KEY_LINES = 600, 10  # marks of rhyme tails at most, and the lines one has to end


def choose_format(
    poems: Sequence[Annotated],
    lang: str,
    *,
    order: str = "backward",
    plans: bool = True,
    countdown: int = 0,
    rhyme_pairs: bool = False,
    n_authors: int = 64,
    n_keys: int = N_KEYS,
) -> VerseFormat:
    """A format with marks for the commonest authors, lengths, schemes and rhyme tails.

    Args:
        n_authors, n_keys: most marks of each kind; a length or scheme needs 40 groups to get one.
    """
    authors, meters, schemes, keys = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for poem in poems:
        for group in poem.groups:
            authors[poem.author or ""] += len(group.lines)
            meters[group.meter] += 1
            schemes[group.scheme] += 1
            keys.update(group.keys)
    for counter in (authors, meters, schemes, keys):
        del counter[""]

    def common(counter: Counter[str], most: int, at_least: int) -> tuple[str, ...]:
        return tuple(name for name, n in sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:most] if n >= at_least)

    floor = 40 if len(poems) > 1000 else 2
    return VerseFormat(
        lang,
        common(authors, n_authors, floor),
        common(meters, 100, floor),
        common(schemes, 150, floor),
        common(keys, n_keys, KEY_LINES if floor == 40 else 1),
        order=order,
        plans=plans,
        countdown=countdown,
        rhyme_pairs=rhyme_pairs,
    )


def unplanned(poems: Sequence[Annotated], verse_format: VerseFormat, *, n_keys: int = N_KEYS, at_least: int = KEY_LINES) -> tuple[str, ...]:
    """Rhyme tails that end enough lines of the poems but have no mark, or share one with another tail; commonest first."""
    met = Counter(key for poem in poems for group in poem.groups for key in group.keys if key)
    known_keys = set(verse_format.keys)
    new = [key for key, n in met.most_common() if n >= at_least and not {key, key.replace("+", "")} & known_keys]
    return tuple(new[: max(0, n_keys - len(known_keys))])


@dataclass(frozen=True)
class Piece:
    """Token ids of a group's header and body, and the characters the body stands for."""

    header: tuple[int, ...]
    body: tuple[int, ...]
    n_chars: int


def encode(poems: Sequence[Annotated], verse_format: Format, tokenizer: PreTrainedTokenizerBase) -> list[list[Piece]]:
    """Each poem as pieces. Characters are counted as printed, with one line break per line, and stanza breaks."""
    texts = [verse_format.write(group, poem.author) for poem in poems for group in poem.groups]
    ids = codec_of(verse_format, tokenizer).many_ids([part for text in texts for part in text])
    pieces = iter(range(0, len(ids), 2))
    out = []
    for poem in poems:
        row = []
        for group in poem.groups:
            at = next(pieces)
            n_chars = sum(len(line) + 1 for line in group.lines) + group.scheme.count(" ") + 1
            row.append(Piece(tuple(ids[at]), tuple(ids[at + 1]), n_chars))
        out.append(row)
    return out


def encode_all(
    poems: Sequence[Annotated],
    verse_format: Format,
    tokenizer: PreTrainedTokenizerBase,
    *,
    tick: Callable[[int], None] = lambda n: None,
    processes: int = 1,
) -> list[list[Piece]]:
    """``encode`` for a whole corpus, whose lines with countdown marks take as long to encode as to hear.

    Args:
        tick: called with the number of poems done, now and then.
        processes: that share many poems.
    """
    encoded: list[list[Piece]] = []
    one = functools.partial(encode, verse_format=verse_format, tokenizer=tokenizer)
    for some in in_parts(one, poems, processes=processes):
        encoded += some
        tick(len(encoded))
    return encoded


def excerpts(pieces: Sequence[Piece], bos: int, window: int) -> list[list[int]]:
    """Runs of consecutive groups that fit a window, each begun with BOS; a longer group is cut at the window."""
    rows: list[list[int]] = []
    row: list[int] = []
    for piece in pieces:
        ids = [*piece.header, *piece.body]
        if row and len(row) + len(ids) > window:
            rows.append(row)
            row = []
        row = [*(row or [bos]), *ids]
    return [*rows, row] if row else rows


def pack(rows: Sequence[Sequence[int]], *, window: int, pad: int, seed: int) -> Tensor:
    """Excerpts, shuffled and packed into windows of one size, ``(N, window)``; the last excerpt of a window is cut.

    Every window begins with the BOS of an excerpt, so that training sees the same positions as sampling.
    """
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    windows, current = [], []  # type: list[list[int]], list[int]
    for i in order:
        current += rows[i]
        if len(current) >= window:
            windows.append(current[:window])
            current = []
    if current:
        windows.append(current + [pad] * (window - len(current)))
    return torch.tensor(windows, dtype=torch.long)


def bos_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The id that begins every row: the BOS of a verse format, or a plain tokenizer's begin- or end-of-text token."""
    bos = tokenizer.convert_tokens_to_ids(BOS)
    if bos is not None and bos != tokenizer.unk_token_id:
        return int(bos)
    return int(tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id)
