"""One fine-tuning run from files to files: read, measure, train, measure again, save, show both."""

from __future__ import annotations

import dataclasses
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from policies.causal_lm import CausalPolicy
from policies.decoding.sampler import Decoding
from policies.finetuning.card import write_card
from policies.finetuning.config import FinetuneConfig
from policies.finetuning.parts import add_authors, batches, freeze, frozen_parts, n_batches, new_authors, optimizer, training_rows
from policies.finetuning.samples import Samples
from policies.formats.codec import load_format
from policies.formats.data import Annotated, annotate_all, bos_id, encode
from policies.formats.plain import PlainFormat
from policies.likelihood import LONGEST, Excerpt, annotated_groups, excerpts_of, row_nats
from policies.loading.adapters import add_lora, open_in_four_bits, parse_lora, save_adapter
from policies.loading.files import find_model, open_tokenizer
from policies.loss_chart import loss_figure
from policies.training_loop import COSINE, Patience, Schedule, checkpoint_step, learn
from rlpoet.checkpoints.folder import BEFORE, BEST, CHECKPOINT, run_folder
from rlpoet.checkpoints.signals import Stop, Stopped, stop_signals
from rlpoet.corpus import Poem, read_poems, select, split_poems
from rlpoet.corpus.poem import printed
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.evaluation.form import measure
from rlpoet.machine import AUTO, PRECISIONS, check_device, gpu, precision_of
from rlpoet.phonology import phonology
from rlpoet.prosody.forms import form_to_write
from rlpoet.reporting.charts import save_png
from rlpoet.reporting.poems import console
from rlpoet.reporting.progress import Pulse
from rlpoet.reporting.tracking import Tracker, read_jsonl, write_config
from rlpoet.text import read_object, write_atomically
from rlpoet.types import Prompt

EPOCHS = 3.0  # where no budget is given
N_EVAL_TOKENS = 40_000  # of the held-out poems, at each evaluation during training; all of them before and after
BITS = "eval/bits_per_char"


@dataclasses.dataclass(frozen=True)
class HeldOutSet:
    """Held-out poems: the rows to score, and the number of characters they stand for."""

    rows: tuple[Excerpt, ...]
    characters: int

    def bits(self, policy: CausalPolicy) -> float:
        """Bits per character as printed; see ``policies.likelihood``."""
        return sum(row_nats(policy.model, self.rows, pad=policy.pad)) / math.log(2) / self.characters


def finetune_run(config: FinetuneConfig) -> int:
    """Train, measure and save into ``config.output_dir``; returns 130 if a signal stopped it, with everything saved.

    Raises:
        KeyboardInterrupt: stopped where there is nothing to save yet, or asked twice; the folder holds the last checkpoint.
        RlpoetError: see ``check`` and ``rlpoet.checkpoints.folder.run_folder``.
    """
    check(config)
    folder, out = Path(config.resume or config.output_dir), console(stderr=True)
    with stop_signals() as stop, run_folder(folder, resume=bool(config.resume), tell=out.print) as goes_on:
        if not goes_on:
            config = dataclasses.replace(config, resume=None, output_dir=str(folder))
        return run_in(folder, config, out, stop=stop)


def run_in(folder: Path, config: FinetuneConfig, out: Console, *, stop: Stop) -> int:
    """Run in a folder that this process holds, from its checkpoint if the configuration resumes one; as ``finetune_run``."""
    threads = config.threads or torch.get_num_threads()
    config = dataclasses.replace(config, threads=threads)
    torch.set_num_threads(threads)
    torch.manual_seed(config.seed)
    policy = open_base(config)
    precision, pace = precision_of(config.precision, policy.model)
    if pace is not None:  # part of the run: another precision rounds otherwise
        config = dataclasses.replace(config, precision=pace.precision)
        out.print(pace.line(), highlight=False)
    if config.resume is None:
        write_config(folder, config)  # a run that ends before its first checkpoint can begin again by it
    for name in config.forms:
        form_to_write(name, policy.lang)
    poems = select(read_poems(config.data), config.where)
    train, held_poems = read_verse(poems, config, policy.lang, folder, out)
    names = new_authors(policy, train, most=config.new_authors)
    frozen = frozen_parts(config.freeze)
    if names and "embeddings" in frozen and not isinstance(policy.format, PlainFormat):
        out.print(f"{len(names)} new authors get no mark: embeddings are frozen.")
        names = []
    marks = add_authors(policy, names)
    if names:
        out.print(f"new authors: {', '.join(names)}", highlight=False)
    adapter = None
    if config.lora:
        adapter = add_lora(policy.model, parse_lora(config.lora), targets=config.lora_target, tokens=marks)
    else:
        freeze(policy.model, frozen)
    n_trained = sum(p.numel() for p in policy.model.parameters() if p.requires_grad)
    if config.resume is None:
        try_saving(policy, adapter, config, folder)

    window = min(config.window, longest_row(policy))
    learn_headers = not isinstance(policy.format, PlainFormat)
    rows = training_rows(
        encode(train, policy.format, policy.tokenizer), bos=bos_id(policy.tokenizer), window=window, learn_headers=learn_headers
    )
    held_set, held_sample = held_out(policy, held_poems, window)
    steps = schedule_steps(config, len(rows))
    schedule = Schedule(
        minutes=config.minutes, steps=steps, learning_rate=config.learning_rate, weight_decay=config.weight_decay, curve=COSINE,
        warmup_steps=round(config.warmup_ratio * steps) if steps else 20, seed=config.seed, window=window,
    )  # fmt: skip
    n_parameters = sum(p.numel() * (1 if p.is_floating_point() else 2) for p in policy.model.parameters())  # two four-bit numbers a byte
    out.print(
        f"{n_trained:,} of {n_parameters:,} parameters trained; {len(train)} poems in {len(rows)} rows, "
        f"{len(held_poems)} held out; {f'{steps} updates' if steps else f'{config.minutes:g} minutes'}",
        highlight=False,
    )
    samples = Samples(config, policy, train, folder)
    tracker = Tracker(folder, report_to=config.report_to, resume_step=checkpoint_step(folder / CHECKPOINT))
    with tracker:
        if config.resume:
            before = read_object(folder / BEFORE, "what the run measured before it began")
        else:
            tracker.config(config)
            before = figures(policy, held_set, config)
            write_atomically(folder / BEFORE, json.dumps(before, ensure_ascii=False))
            tracker.scalars(0, {BITS: before.get("bits_per_char")})
            samples.write(policy, "before", tracker, out, step=0)

        def evaluate() -> dict[str, float]:
            return {BITS: held_sample.bits(policy)} if held_sample.rows else {}

        fed = batches(rows, batch_size=config.batch_size, pad=policy.pad, seed=config.seed, by_length=config.group_by_length)
        try:
            with Pulse(out) as pulse:
                tick = pulse.part("training", 1.0)

                def report(step: int, numbers: dict[str, float]) -> None:
                    tracker.scalars(step, numbers)
                    if "train/loss" in numbers:
                        words = f"step {step}  loss {numbers['train/loss']:.3f}  {numbers['train/tokens_per_second']:.0f} tok/s"
                        tick(numbers["train/progress"], words)
                    elif numbers:
                        out.print(f"step {step}  " + "  ".join(f"{key} {value:.3f}" for key, value in numbers.items()), highlight=False)

                totals = learn(
                    policy.model, fed,
                    [optimizer(policy.model, learning_rate=config.learning_rate, weight_decay=config.weight_decay)], schedule,
                    checkpoint=folder / CHECKPOINT, report=report, evaluate=evaluate, every=config.save_steps, logging=config.logging_steps,
                    accumulate=config.gradient_accumulation_steps, clip=config.max_grad_norm, bf16=precision == torch.bfloat16,
                    patience=Patience(BITS, config.patience, folder / BEST), stop=stop,
                )  # fmt: skip
        except Stopped:
            save(policy, adapter, config, folder)
            samples.write(policy, "interrupted", tracker, out, step=checkpoint_step(folder / CHECKPOINT) or 0)
            out.print(f"Interrupted; saved in {folder}. Go on with: rlpoet finetune --resume {folder}")
            return 130
        save(policy, adapter, config, folder)
        reopened = CausalPolicy.load(folder, seed=config.seed, lang=policy.lang)  # what is measured and shown is what was saved
        reopened.model.to(next(policy.model.parameters()).device)
        after = figures(reopened, held_set, config)
        step = int(totals["steps"])
        samples.write(reopened, "after", tracker, out, step=step)
        result = {
            "policy": config.policy, "lang": policy.lang, "how": how(config), "parameters": n_parameters, "parameters_trained": n_trained,
            "poems": {"train": len(train), "validation": len(held_poems)}, "new_authors": names,
            "tokens_seen": int(totals["tokens"]), "epochs": round(totals["epochs"], 3), "steps": step,
            "seconds": round(totals["seconds"], 1),
            "stopped_early": bool(totals["stopped_early"]), "best_bits_per_char": totals.get("best"), "seed": config.seed,
            "before": before, "after": after,
        }  # fmt: skip
        figure = loss_figure(read_jsonl(folder / "metrics.jsonl"), before.get("bits_per_char"), after.get("bits_per_char"), step)
        save_png(figure, folder / "loss.png")
        tracker.figure(step, "loss", figure)
        write_card(folder, result, dataclasses.asdict(config))
        tracker.result(result)  # last: by it a run is done
    for name, value in after.items():
        out.print(
            f"{name.replace('_', ' ')}: {before[name]:.3f} -> {value:.3f}" if name in before else f"{name}: {value:.3f}", highlight=False
        )
    out.print(f"saved in {folder}: samples.txt, loss.png, result.json. Write with: rlpoet generate --policy {folder}", soft_wrap=True)
    return 0


def check(config: FinetuneConfig) -> None:
    """Check a configuration before anything is opened.

    Raises:
        RlpoetError, UnknownName: a field has a value that makes no sense.
    """
    at_least_one = ("batch_size", "gradient_accumulation_steps", "save_steps", "logging_steps", "n_samples")
    for name in at_least_one:
        if getattr(config, name) < 1:
            raise RlpoetError(f"--{name}: {getattr(config, name)}; expected 1 or more.")
    not_negative = ("epochs", "max_steps", "minutes", "weight_decay", "max_grad_norm", "patience", "eval_samples", "new_authors", "threads")
    for name in not_negative:
        value = getattr(config, name)
        if value is not None and not value >= 0:
            raise RlpoetError(f"--{name}: {value}; expected 0 or more.")
    if not config.learning_rate > 0:
        raise RlpoetError(f"--learning_rate: {config.learning_rate}; expected more than 0.")
    if config.window < 16:
        raise RlpoetError(f"--window: {config.window}; expected 16 tokens or more.")
    for name in ("validation", "warmup_ratio"):
        if not 0 <= getattr(config, name) < 1:
            raise RlpoetError(f"--{name}: {getattr(config, name)}; expected a share in [0, 1).")
    if config.precision not in (AUTO, *PRECISIONS):
        raise UnknownName("precision", config.precision, (AUTO, *PRECISIONS))
    if config.dtype not in ("bf16", "fp32"):
        raise UnknownName("dtype", config.dtype, ("bf16", "fp32"))
    known = {item.name for item in dataclasses.fields(Decoding)}
    for name in config.sampling:
        if name not in known:
            raise UnknownName("sampling", name, known)
    check_device(config.device)
    if config.lora:
        parse_lora(config.lora)
        if config.freeze:
            raise RlpoetError("--freeze: given with --lora; expected one of them. An adapter leaves every weight of its base as it is.")
    elif config.qlora or config.merge:
        raise RlpoetError(f"--{'qlora' if config.qlora else 'merge'}: given without --lora; expected both, such as --lora r=16.")
    if config.lang is not None:
        phonology(config.lang)


def open_base(config: FinetuneConfig) -> CausalPolicy:
    """The policy to start from, on the GPU where there is one, its base in four bits where that is asked for.

    Raises:
        RlpoetError: the policy is of another language, or keeps its format; see also ``policies.loading.open.open_files``.
    """
    if config.qlora:
        files = find_model(config.policy, allow_download=config.allow_download, trust_remote_code=config.trust_remote_code)
        model = open_in_four_bits(files)
        policy = CausalPolicy(model, open_tokenizer(files), load_format(files.folder, lang=config.lang), seed=config.seed)
    else:
        policy = CausalPolicy.load(
            config.policy, seed=config.seed, lang=config.lang, device=gpu() if config.device == AUTO else config.device,
            allow_download=config.allow_download, trust_remote_code=config.trust_remote_code, keep_gguf=config.keep_gguf,
        )  # fmt: skip
    if config.lang is not None and policy.lang != config.lang:
        raise RlpoetError(f"--lang {config.lang}: {config.policy} writes {policy.lang!r}; expected the same. Leave --lang out.")
    if config.format is not None:
        if not isinstance(policy.format, PlainFormat):
            raise RlpoetError(f"--format {config.format}: {config.policy} has marks of its own; expected a plain model. Leave it out.")
        policy.adopt(dataclasses.replace(policy.format, planned=config.format == "planned"))
    return policy


def read_verse(poems: list[Poem], config: FinetuneConfig, lang: str, folder: Path, out: Console) -> tuple[list[Annotated], list[Poem]]:
    """Training poems with their schemes and lengths, and the held-out ones as printed.

    Raises:
        RlpoetError: no poem is left to train on.
    """
    clean = [poem for poem in (printed(poem, lang) for poem in poems) if poem.stanzas]
    verse = [poem for poem in clean if all(len(line) <= LONGEST for line in poem.lines)]
    train, held_poems = split_poems(verse, validation=config.validation)
    if not train:
        raise RlpoetError(
            f"{config.data[0]}: no poem left to train on, of {len(poems)}; expected verse. Lower --validation, or give more poems."
        )
    if len(verse) < len(clean):
        out.print(f"{len(clean) - len(verse)} poems left out: a line of more than {LONGEST} characters is no verse.")
    folder.mkdir(parents=True, exist_ok=True)
    with Pulse(out) as pulse:
        tick = pulse.part("listening to rhyme and meter", len(train))
        annotated = annotate_all(train, lang, cache=folder / "train.jsonl.gz", tick=tick)
    return annotated, held_poems


def held_out(policy: CausalPolicy, poems: list[Poem], window: int) -> tuple[HeldOutSet, HeldOutSet]:
    """All held-out poems, and as many of them as are weighed during training."""
    pieces = encode(annotated_groups(poems, policy.lang), policy.format, policy.tokenizer) if poems else []
    rows = excerpts_of(pieces, bos=bos_id(policy.tokenizer), window=window)
    some, n = 0, 0
    while some < len(poems) and n < N_EVAL_TOKENS:
        n += sum(len(piece.header) + len(piece.body) for piece in pieces[some])
        some += 1
    sizes = [len(poem.text) for poem in poems]
    return HeldOutSet(tuple(rows), sum(sizes)), HeldOutSet(tuple(row for row in rows if row.poem < some), sum(sizes[:some]))


def longest_row(policy: CausalPolicy) -> int:
    """Tokens the model reads at once."""
    return int(getattr(policy.model.config, "max_position_embeddings", None) or 1024)


def schedule_steps(config: FinetuneConfig, n_rows: int) -> int:
    """Number of updates in the budget; 0 if only minutes limit it."""
    epochs = config.epochs or (0.0 if config.max_steps or config.minutes else EPOCHS)
    by_epochs = math.ceil(epochs * n_batches(n_rows, config.batch_size) / config.gradient_accumulation_steps)
    limits = [n for n in (by_epochs, config.max_steps) if n]
    return min(limits) if limits else 0


def figures(policy: CausalPolicy, held_set: HeldOutSet, config: FinetuneConfig) -> dict[str, float]:
    """Held-out bits per character, and rhyme and meter of fresh poems at temperature 1; what was not measured is absent."""
    figures: dict[str, float] = {"bits_per_char": held_set.bits(policy)} if held_set.rows else {}
    if config.eval_samples:
        policy.generator.manual_seed(config.seed + 1_000_003)
        n = -(-config.eval_samples // len(config.forms))
        parts = [policy.sample([Prompt(policy.lang, name)], n) for name in config.forms]
        measured = measure([p for part in parts for p in part.prompts], [t for part in parts for t in part.texts])
        figures |= {name: measured[name] for name in ("rhyme_pairs", "lines_in_meter", "perfect_stanzas", "distinct_end_words")}
    return figures


def save(policy: CausalPolicy, adapter: Any, config: FinetuneConfig, folder: Path) -> None:
    """The adapter alone, or whole weights; with ``merge`` both, the adapter in a folder of its own."""
    dtype = torch.bfloat16 if config.dtype == "bf16" else torch.float32
    if adapter is None:
        policy.save(folder, dtype=dtype)
        return
    adapter_folder = folder / "adapter" if config.merge else folder
    save_adapter(adapter, adapter_folder, base=config.policy, tokenizer=policy.tokenizer, verse_format=policy.format)
    if config.merge:
        CausalPolicy.load(adapter_folder, lang=policy.lang).save(folder, dtype=dtype)


def try_saving(policy: CausalPolicy, adapter: Any, config: FinetuneConfig, folder: Path) -> None:
    """Save and delete what was written: what a run cannot save it must not spend its budget on.

    Raises:
        RlpoetError: it cannot be saved.
    """
    with tempfile.TemporaryDirectory(prefix=".saving-", suffix=".part", dir=folder) as spare:
        try:
            save(policy, adapter, dataclasses.replace(config, merge=False), Path(spare) / "policy")
        except (OSError, ValueError, RuntimeError, NotImplementedError) as error:  # a full disk, or a model of a library that refuses
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise RlpoetError(
                f"{folder}: the policy cannot be saved ({first[:160]}), and nothing was trained; expected one that can, and room."
            ) from error


def how(config: FinetuneConfig) -> str:
    """In a few words, for the card."""
    if config.lora:
        return f"{'QLoRA' if config.qlora else 'LoRA'} ({config.lora}; {', '.join(config.lora_target)})"
    return f"full, {', '.join(config.freeze)} frozen" if config.freeze else "full"
