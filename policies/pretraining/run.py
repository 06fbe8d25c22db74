"""One pretraining run from files to files: read, annotate, learn the tokenizer, train, sample, write the card."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from policies.causal_lm import CausalPolicy
from policies.formats.data import Annotated, Piece, annotate_all, choose_format, encode, encode_all, unplanned
from policies.formats.tokenizer import train_tokenizer
from policies.formats.verse import VerseFormat
from policies.loss_chart import BITS, loss_figure
from policies.pretraining.card import write_card
from policies.pretraining.config import PIECES, PretrainConfig
from policies.pretraining.model import Schedule, bits_per_char, build_model, checkpoint_step, grown, pretrain
from policies.pretraining.prose import enough
from policies.pretraining.rhyme_pairs import rhyme_pair_pieces
from policies.pretraining.vocabulary import learn_pieces, teach_marks
from policies.training_loop import Patience
from rlpoet.checkpoints.folder import BEST, CHECKPOINT, run_folder
from rlpoet.checkpoints.signals import Stop, Stopped, stop_signals
from rlpoet.corpus import read_poems, select, split_poems
from rlpoet.corpus.prose import read_prose
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.evaluation.form import measure
from rlpoet.languages import code_of
from rlpoet.machine import AUTO, PRECISIONS, check_device, gpu, precision_of
from rlpoet.phonology import phonology
from rlpoet.reporting.charts import save_png
from rlpoet.reporting.poems import console
from rlpoet.reporting.progress import Pulse
from rlpoet.reporting.tracking import Tracker, read_jsonl, write_config
from rlpoet.text import whole_files
from rlpoet.types import Prompt

N_EVAL_TOKENS = 40_000  # of the held-out poems, at each evaluation


def pretrain_run(config: PretrainConfig) -> int:
    """Train, evaluate and save into ``config.output_dir``; returns 130 if a signal stopped it, with everything saved.

    Raises:
        KeyboardInterrupt: stopped where there is nothing to save yet, or asked twice; the folder holds the last checkpoint.
        RlpoetError: see ``rlpoet.checkpoints.folder.run_folder``.
    """
    if not config.minutes and not config.max_steps:
        raise RlpoetError("--minutes: no budget; expected --minutes 20 or --max_steps 2000.")
    if config.order not in ("backward", "forward"):
        raise RlpoetError(f"--order: {config.order!r}; expected backward or forward.")
    if not 0 <= config.rhyme_pairs_share < 1:
        raise RlpoetError(f"--rhyme_pairs_share: {config.rhyme_pairs_share}; expected a share from 0 to below 1.")
    if config.precision not in (AUTO, *PRECISIONS):
        raise UnknownName("precision", config.precision, (AUTO, *PRECISIONS))
    if config.countdown is not None and config.countdown < 0:
        raise RlpoetError(f"--countdown: {config.countdown}; expected a number of syllables, or 0 for never.")
    if config.grow and not config.start:
        raise RlpoetError(f"--grow {config.grow}: nothing to grow; expected --start, or a larger --size.")
    if config.rhyme_pairs_share and not config.plans:
        raise RlpoetError("--rhyme_pairs_share: rhyme pairs stand after a plan token; expected plans. Leave out --no_plans.")
    if config.prose and not 0 < config.prose_share < 1:
        raise RlpoetError(f"--prose_share: {config.prose_share}; expected a share between 0 and 1.")
    check_device(config.device)
    phonology(config.lang)
    for source in config.prose:  # hearing the poems takes minutes: a file that is missing is told before
        next(read_prose([source]), None)
    folder, out = Path(config.resume or config.output_dir), console(stderr=True)
    fix = ", begin again with --overwrite"
    with (
        stop_signals() as stop,
        run_folder(folder, resume=bool(config.resume), overwrite=config.overwrite, fix=fix, tell=out.print) as goes_on,
    ):
        if not goes_on:
            config = dataclasses.replace(config, resume=None, overwrite=False, output_dir=str(folder))
        return run_in(folder, config, out, stop=stop)


def run_in(folder: Path, config: PretrainConfig, out: Console, *, stop: Stop) -> int:
    """Run in a folder that this process holds, from its checkpoint if the configuration resumes one; as ``pretrain_run``."""
    threads = config.threads or torch.get_num_threads()
    config = dataclasses.replace(config, threads=threads)
    torch.set_num_threads(threads)
    torch.manual_seed(config.seed)
    poems = select(read_poems(config.data), config.where)
    if config.core and any(not poem.core for poem in poems):
        poems = [poem for poem in poems if poem.core]
    poems = [poem for poem in poems if poem.rhymed is None or poem.rhymed >= config.min_rhymed]
    if config.resume is None:
        write_config(folder, config)  # a run that ends before its first checkpoint can begin again by it
    elif not (folder / "tokenizer.json").exists():
        raise RlpoetError(f"--resume {folder}: no tokenizer.json; expected a run that was stopped. Start one without --resume.")
    train_poems, held_poems = split_poems(poems, validation=config.validation)
    if not train_poems:
        raise RlpoetError(f"{config.data[0]}: no poem left to train on; expected some above --min_rhymed {config.min_rhymed}.")
    out.print(f"{len(train_poems)} poems to train on, {len(held_poems)} held out, {sum(len(p.lines) for p in train_poems)} lines")
    with Pulse(out) as pulse:
        tick = pulse.part("listening to rhyme and meter", len(poems))
        train = annotate_all(train_poems, config.lang, cache=folder / "train.jsonl.gz", tick=tick, processes=torch.get_num_threads())
        held_annotated = annotate_all(held_poems, config.lang, cache=folder / "held.jsonl.gz")
    model: Any = None
    if config.start:
        model, tokenizer, verse_format = _started(config, train, folder)
        _keep(tokenizer, verse_format, folder)
    elif config.resume:
        tokenizer, verse_format = _kept_tokenizer(folder), VerseFormat.load(folder)
    else:
        verse_format = choose_format(
            train,
            config.lang,
            order=config.order,
            plans=config.plans,
            countdown=config.countdown or 0,
            rhyme_pairs=config.rhyme_pairs_share > 0,
        )
        words, size = _words(train, verse_format), config.vocab_size or PIECES
        tokenizer = train_tokenizer(words, verse_format.marks, kind=config.tokenizer, size=size)
        _keep(tokenizer, verse_format, folder)
    order = [i for i, poem in enumerate(train_poems) for _ in range(config.core_times if poem.core else 1)]
    order, share = _enough(order, train, verse_format, tokenizer, config)
    unique = sorted(set(order))
    with Pulse(out) as pulse:
        tick = pulse.part("encoding the poems", len(unique))
        of_verse = encode_all([train[i] for i in unique], verse_format, tokenizer, tick=tick, processes=threads)
    encoded = dict(zip(unique, of_verse, strict=True))
    pieces = [encoded[i] for i in order]
    if config.rhyme_pairs_share:
        pieces += rhyme_pair_pieces(
            train, verse_format, tokenizer, share=config.rhyme_pairs_share, seed=config.seed, n_tokens=_count(pieces)
        )
    if config.prose:
        pieces += _prose_pieces(pieces, verse_format, tokenizer, config, folder, out)
    held_pieces = encode(held_annotated, verse_format, tokenizer)
    held_sample, n = [], 0
    for poem in held_pieces:
        n += _count([poem])
        held_sample.append(poem)
        if n > N_EVAL_TOKENS:
            break
    n_tokens = round(_count(pieces) / share)
    device = gpu() if config.device == AUTO else config.device
    model = (model or build_model(config.size, tokenizer, seed=config.seed, key_heads=config.key_heads)).to(device)
    policy = CausalPolicy(model, tokenizer, verse_format, seed=config.seed)
    precision, pace = precision_of(config.precision, model)
    if pace is not None:  # part of the run: another precision rounds otherwise
        config = dataclasses.replace(config, precision=pace.precision)
        out.print(pace.line(), highlight=False)
    n_parameters = sum(p.numel() for p in model.parameters())
    out.print(f"{n_parameters / 1e6:.2f}M parameters, {n_tokens / 1e6:.2f}M tokens an epoch, {len(tokenizer)} pieces and marks")
    schedule = Schedule(
        minutes=config.minutes,
        steps=config.max_steps,
        batch_tokens=config.batch_tokens,
        window=config.window,
        learning_rate=config.learning_rate,
        decay=config.decay,
        warmup_steps=config.warmup_steps,
        curve=config.curve,
        seed=config.seed,
    )
    patience = Patience(BITS, config.patience, folder / BEST) if config.patience and held_sample else None
    tracker = Tracker(folder, resume_step=checkpoint_step(folder / CHECKPOINT))
    if config.resume is None:
        tracker.config(config)

    started_bits = bits_per_char(model, held_pieces, tokenizer, window=config.window) if config.start and held_pieces else None

    def evaluate() -> dict[str, float]:
        figures = {f"eval/rhyme_pairs/{name}": rate for name, rate in rhyming(policy, min(48, config.eval_samples)).items()}
        if held_sample:
            figures["eval/bits_per_char"] = bits_per_char(model, held_sample, tokenizer, window=config.window)
        poem = policy.sample([Prompt(config.lang, "quatrain-abab")], temperature=0.9).texts[0]
        out.print("  ".join(f"{k} {v:.3f}" for k, v in figures.items()) + "\n" + poem + "\n", highlight=False)
        return figures

    try:
        with Pulse(out) as pulse:
            tick = pulse.part("training", 1.0)

            def report(step: int, numbers: dict[str, float]) -> None:
                tracker.scalars(step, numbers)
                if "train/loss" in numbers:
                    words = f"step {step}  loss {numbers['train/loss']:.3f}  {numbers['train/tokens_per_second']:.0f} tok/s"
                    tick(numbers["train/progress"], words)

            totals = pretrain(
                model, tokenizer, pieces, schedule, checkpoint=folder / CHECKPOINT, report=report, evaluate=evaluate,
                every=config.save_steps, accumulate=config.gradient_accumulation_steps, patience=patience,
                compiled=config.compile and shutil.which("g++") is not None, precision=precision, generator=policy.generator, stop=stop,
            )  # fmt: skip
    except Stopped:
        policy.save(folder, dtype=torch.bfloat16)
        tracker.close()
        out.print(policy.sample([Prompt(config.lang, "couplet")]).texts[0], highlight=False)
        out.print(f"Interrupted; saved in {folder}. Go on with: rlpoet pretrain --resume {folder}")
        return 130
    policy.save(folder, dtype=torch.bfloat16)
    reopened = CausalPolicy.load(folder, seed=config.seed)  # the figures are those of the file, rounded to bfloat16
    result: dict[str, object] = {
        "lang": config.lang, "parameters": n_parameters, "tokens_seen": int(totals["tokens"]),
        "epochs": totals["tokens"] / max(n_tokens, 1),
        "seconds": round(totals["seconds"]), "steps": int(totals["steps"]), "seed": config.seed,
        "poems": {"train": len(train_poems), "validation": len(held_poems)},
        "rhyme_pairs": rhyming(reopened, config.eval_samples),
    }  # fmt: skip
    if started_bits is not None:
        result["bits_per_char_at_start"] = started_bits
    after = bits_per_char(reopened.model, held_pieces, tokenizer, window=config.window) if held_pieces else None
    if after is not None:
        result["bits_per_char"] = after
    figure = loss_figure(read_jsonl(folder / "metrics.jsonl"), started_bits, after, int(totals["steps"]))
    save_png(figure, folder / "loss.png")
    write_card(folder, result, dataclasses.asdict(config))
    tracker.result(result)  # last: by it a run is done
    tracker.close()
    out.print(result)
    return 0


def _keep(tokenizer: PreTrainedTokenizerBase, verse_format: VerseFormat, folder: Path) -> None:
    with whole_files(folder) as path:
        tokenizer.save_pretrained(path)
        verse_format.save(path)


def _kept_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    for name in ("is_local", "local_files_only"):  # of this opening, which would be saved as properties of the tokenizer
        tokenizer.init_kwargs.pop(name, None)
    return tokenizer


def _enough(
    order: list[int], train: Sequence[Annotated], verse_format: VerseFormat, tokenizer: PreTrainedTokenizerBase, config: PretrainConfig
) -> tuple[list[int], float]:
    """A random choice of as many poems as a budget of updates can read, and their share of an epoch.

    Annotating a whole corpus takes minutes, and a run that continues from a policy often reads only a fifth of it.
    """
    if config.minutes or not config.max_steps:
        return order, 1.0
    shuffled = list(order)
    random.Random(config.seed).shuffle(shuffled)
    some = shuffled[:200]
    n_lines = [sum(len(group.lines) for group in poem.groups) for poem in train]
    per_line = _count(encode([train[i] for i in some], verse_format, tokenizer)) / max(sum(n_lines[i] for i in some), 1)
    of_verse = 1 - config.prose_share if config.prose else 1.0
    n_tokens = config.max_steps * config.batch_tokens * config.gradient_accumulation_steps * of_verse
    needed = 1.25 * n_tokens / max(per_line, 1e-9)
    until = bisect.bisect(list(itertools.accumulate(n_lines[i] for i in shuffled)), needed) + 1
    chosen = shuffled[:until]
    return sorted(chosen), sum(n_lines[i] for i in chosen) / max(sum(n_lines[i] for i in order), 1)


def _prose_pieces(
    verse_pieces: Sequence[Sequence[Piece]],
    verse_format: VerseFormat,
    tokenizer: PreTrainedTokenizerBase,
    config: PretrainConfig,
    folder: Path,
    out: Console,
) -> list[list[Piece]]:
    """Prose in the format of the verse, as much as its share asks for or as there is."""
    n_verse = sum(piece.n_chars for poem in verse_pieces for piece in poem)
    wanted = n_verse * config.prose_share / (1 - config.prose_share)
    with Pulse(out) as pulse:
        tick = pulse.part("cutting prose into phrases", wanted)
        poems = enough(
            read_prose(config.prose), config.lang, n_characters=wanted, seed=config.seed, tick=tick, processes=torch.get_num_threads()
        )
        tick = pulse.part("listening to prose", len(poems))
        annotated = annotate_all(poems, config.lang, cache=folder / "prose.jsonl.gz", tick=tick, processes=torch.get_num_threads())
    n_read = sum(len(line) + 1 for poem in poems for line in poem.lines)
    short = "" if n_read >= wanted else f"; {n_read / (n_read + n_verse):.0%} of the data, for there is no more"
    out.print(f"{len(poems)} passages of prose, {n_read / 1e6:.1f}M characters{short}", highlight=False)
    return encode(annotated, verse_format, tokenizer)


def _count(poems: Sequence[Sequence[Piece]]) -> int:
    return sum(len(piece.header) + len(piece.body) for poem in poems for piece in poem)


def _started(config: PretrainConfig, train: list[Annotated], folder: Path) -> tuple[Any, PreTrainedTokenizerBase, VerseFormat]:
    """Weights, tokenizer and format of the policy to continue from, with new marks for rhymes of these poems that it lacks, and pieces.

    A run that goes on reads the pieces in ``folder``: learned again, they could be other ones.
    """
    policy = CausalPolicy.load(config.start)
    if not isinstance(policy.format, VerseFormat) or policy.lang != code_of(config.lang):
        raise RlpoetError(f"--start {config.start}: no verse policy of {config.lang!r}; expected one. For a plain model: rlpoet finetune.")
    verse_format = policy.format
    countdown = verse_format.countdown if config.countdown is None else config.countdown
    extended = dataclasses.replace(
        verse_format,
        countdown=countdown,
        rhyme_pairs=verse_format.rhyme_pairs or config.rhyme_pairs_share > 0,
        keys=(*verse_format.keys, *unplanned(train, verse_format)),
    )
    if extended != verse_format:
        teach_marks(policy.model, policy.tokenizer, verse_format, extended)
        verse_format = extended
    tokenizer = policy.tokenizer
    if config.vocab_size is not None:
        if config.resume:
            tokenizer = _kept_tokenizer(folder)
        else:
            words = _words(train, verse_format)
            tokenizer = train_tokenizer(words, verse_format.marks, kind=config.tokenizer, size=config.vocab_size)
        learn_pieces(policy.model, policy.tokenizer, tokenizer)
    if config.grow:
        policy.model = grown(policy.model, config.grow)
    return policy.model, tokenizer, verse_format


def rhyming(policy: CausalPolicy, n: int) -> dict[str, float]:
    """Share of scheme pairs that rhyme in ``n`` sampled couplets and quatrains each, temperature 1."""
    forms = ("couplet", "quatrain-abab", "quatrain-abba")
    rollouts = {name: policy.sample([Prompt(policy.format.lang, name)], n) for name in forms}
    return {name: measure(rollout.prompts, rollout.texts)["rhyme_pairs"] for name, rollout in rollouts.items()}


def _words(poems: list[Annotated], verse_format: VerseFormat) -> list[str]:
    words_only = dataclasses.replace(verse_format, plans=False, countdown=0)
    return [words_only.write_line(line, "") for poem in poems for group in poem.groups for line in group.lines]
