"""From corpora to what a pretraining run reads: choose the poems, hear them, learn marks and pieces, encode."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import random
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from policies.causal_lm import CausalPolicy
from policies.formats.data import Annotated, Piece, annotate_all, choose_format, encode, encode_all, unplanned
from policies.formats.tokenizer import train_tokenizer
from policies.formats.verse import VerseFormat
from policies.pretraining.config import PIECES, PretrainConfig
from policies.pretraining.prepared import Prepared, count
from policies.pretraining.prose import enough
from policies.pretraining.rhyme_pairs import rhyme_pair_pieces
from policies.pretraining.vocabulary import teach_marks
from rlpoet.corpus import Poem, read_poems, select, split_poems
from rlpoet.corpus.prose import read_prose
from rlpoet.errors import RlpoetError
from rlpoet.languages import code_of
from rlpoet.reporting.progress import Pulse
from rlpoet.reporting.tracking import write_config
from rlpoet.text import whole_files


def prepare(folder: Path, config: PretrainConfig, out: Console) -> Prepared:
    """Make what a run reads, by all threads of torch, and write it to the folder, after the tokenizer and the format.

    Args:
        config: one that resumes a run takes the run's tokenizer and format: learned again, they could be other ones.

    Raises:
        RlpoetError: no poem is left to train on, or a file or the policy of ``config.start`` is not what it should be.
    """
    for source in config.prose:  # hearing the poems takes minutes: a file that is missing is told before
        next(read_prose([source]), None)
    train_poems, held_poems = _chosen(config)
    if config.resume is None:
        write_config(folder, config)  # a run that ends before its first checkpoint can begin again by it
    processes = torch.get_num_threads()
    with Pulse(out) as pulse:
        tick = pulse.part("listening to rhyme and meter", len(train_poems))
        train = annotate_all(train_poems, config.lang, cache=folder / "train.jsonl.gz", tick=tick, processes=processes)
        held = annotate_all(held_poems, config.lang, cache=folder / "held.jsonl.gz")
    tokenizer, verse_format = _vocabulary(config, train, folder)
    order = [i for i, poem in enumerate(train_poems) for _ in range(config.core_times if poem.core else 1)]
    order, share = _enough(order, train, verse_format, tokenizer, config)
    unique = sorted(set(order))
    with Pulse(out) as pulse:
        tick = pulse.part("encoding the poems", len(unique))
        verse = encode_all([train[i] for i in unique], verse_format, tokenizer, tick=tick, processes=processes)
    place = {i: at for at, i in enumerate(unique)}
    order = [place[i] for i in order]
    pairs: list[list[Piece]] = []
    if config.rhyme_pairs_share:
        n_tokens = count([verse[i] for i in order])
        pairs = rhyme_pair_pieces(train, verse_format, tokenizer, share=config.rhyme_pairs_share, seed=config.seed, n_tokens=n_tokens)
    prose: list[list[Piece]] = []
    if config.prose:
        n_characters = sum(piece.n_chars for i in order for piece in verse[i])
        prose = _prose(n_characters, verse_format, tokenizer, config, folder, out)
    data = Prepared(
        verse, pairs, prose, encode(held, verse_format, tokenizer), order, share, config.max_steps, len(train_poems), len(held_poems)
    )
    data.write(folder)
    return data


def _chosen(config: PretrainConfig) -> tuple[list[Poem], list[Poem]]:
    poems = select(read_poems(config.data), config.where)
    if config.core and any(not poem.core for poem in poems):
        poems = [poem for poem in poems if poem.core]
    poems = [poem for poem in poems if poem.rhymed is None or poem.rhymed >= config.min_rhymed]
    train, held = split_poems(poems, validation=config.validation)
    if not train:
        raise RlpoetError(f"{config.data[0]}: no poem left to train on; expected some above --min_rhymed {config.min_rhymed}.")
    return train, held


def start_of(config: PretrainConfig) -> CausalPolicy:
    """The policy that a run continues from.

    Raises:
        RlpoetError: no verse policy of the run's language.
    """
    policy = CausalPolicy.load(config.start)
    if not isinstance(policy.format, VerseFormat) or policy.lang != code_of(config.lang):
        raise RlpoetError(f"--start {config.start}: no verse policy of {config.lang!r}; expected one. For a plain model: rlpoet finetune.")
    return policy


def kept_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer in the folder of a run."""
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    for name in ("is_local", "local_files_only"):  # of this opening, which would be saved as properties of the tokenizer
        tokenizer.init_kwargs.pop(name, None)
    return tokenizer


def _vocabulary(config: PretrainConfig, train: list[Annotated], folder: Path) -> tuple[PreTrainedTokenizerBase, VerseFormat]:
    """Tokenizer and format of a run, kept in its folder; those of ``config.start`` gain marks for rhymes of these poems that they lack."""
    if config.resume:
        return kept_tokenizer(folder), VerseFormat.load(folder)
    tokenizer: PreTrainedTokenizerBase | None = None
    if config.start:
        policy = start_of(config)
        of_start, tokenizer = policy.format, policy.tokenizer
        assert isinstance(of_start, VerseFormat)
        verse_format = dataclasses.replace(
            of_start,
            countdown=of_start.countdown if config.countdown is None else config.countdown,
            rhyme_pairs=of_start.rhyme_pairs or config.rhyme_pairs_share > 0,
            keys=(*of_start.keys, *unplanned(train, of_start)),
        )
        if verse_format != of_start:
            teach_marks(policy.model, tokenizer, of_start, verse_format)
    else:
        verse_format = choose_format(
            train,
            config.lang,
            order=config.order,
            plans=config.plans,
            countdown=config.countdown or 0,
            rhyme_pairs=config.rhyme_pairs_share > 0,
        )
    if tokenizer is None or config.vocab_size is not None:
        words_only = dataclasses.replace(verse_format, plans=False, countdown=0)
        words = [words_only.write_line(line, "") for poem in train for group in poem.groups for line in group.lines]
        tokenizer = train_tokenizer(words, verse_format.marks, kind=config.tokenizer, size=config.vocab_size or PIECES)
    with whole_files(folder) as path:
        tokenizer.save_pretrained(path)
        verse_format.save(path)
    return tokenizer, verse_format


def _enough(
    order: list[int], train: Sequence[Annotated], verse_format: VerseFormat, tokenizer: PreTrainedTokenizerBase, config: PretrainConfig
) -> tuple[list[int], float]:
    """A random choice of as many poems as a budget of updates can read, and their share of an epoch.

    Encoding a whole corpus takes minutes, and a run that continues from a policy often reads only a fifth of it.
    """
    if config.minutes or not config.max_steps:
        return order, 1.0
    shuffled = list(order)
    random.Random(config.seed).shuffle(shuffled)
    some = shuffled[:200]
    n_lines = [sum(len(group.lines) for group in poem.groups) for poem in train]
    per_line = count(encode([train[i] for i in some], verse_format, tokenizer)) / max(sum(n_lines[i] for i in some), 1)
    of_verse = 1 - config.prose_share * config.prose_until if config.prose else 1.0
    n_tokens = config.max_steps * config.batch_tokens * config.gradient_accumulation_steps * of_verse
    needed = 1.25 * n_tokens / max(per_line, 1e-9)
    until = bisect.bisect(list(itertools.accumulate(n_lines[i] for i in shuffled)), needed) + 1
    chosen = shuffled[:until]
    return sorted(chosen), sum(n_lines[i] for i in chosen) / max(sum(n_lines[i] for i in order), 1)


def _prose(
    n_verse: int, verse_format: VerseFormat, tokenizer: PreTrainedTokenizerBase, config: PretrainConfig, folder: Path, out: Console
) -> list[list[Piece]]:
    """Prose in the format of the verse, as much as its share asks for beside so many characters of verse, or as there is."""
    wanted, processes = n_verse * config.prose_share / (1 - config.prose_share), torch.get_num_threads()
    with Pulse(out) as pulse:
        tick = pulse.part("cutting prose into phrases", wanted)
        poems = enough(read_prose(config.prose), config.lang, n_characters=wanted, seed=config.seed, tick=tick, processes=processes)
        tick = pulse.part("listening to prose", len(poems))
        annotated = annotate_all(poems, config.lang, cache=folder / "prose.jsonl.gz", tick=tick, processes=processes)
        tick = pulse.part("encoding prose", len(poems))
        encoded = encode_all(annotated, verse_format, tokenizer, tick=tick, processes=processes)
    n_read = sum(len(line) + 1 for poem in poems for line in poem.lines)
    short = "" if n_read >= wanted else f"; {n_read / (n_read + n_verse):.0%} of the data, for there is no more"
    out.print(f"{len(poems)} passages of prose, {n_read / 1e6:.1f}M characters{short}", highlight=False)
    return encoded
