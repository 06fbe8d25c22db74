"""One pretraining run from files to files: prepare, train, sample, write the card."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import torch
from rich.console import Console
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

from policies.causal_lm import CausalPolicy
from policies.formats.verse import VerseFormat
from policies.loss_chart import BITS, loss_figure
from policies.pretraining.card import write_card
from policies.pretraining.config import PretrainConfig
from policies.pretraining.model import Schedule, bits_per_char, build_model, checkpoint_step, grown, pretrain
from policies.pretraining.prepare import kept_tokenizer, prepare, start_of
from policies.pretraining.prepared import FILE, Prepared, count
from policies.pretraining.vocabulary import learn_pieces, teach_marks
from policies.training_loop import Patience
from rlpoet.checkpoints.folder import BEST, CHECKPOINT, run_folder
from rlpoet.checkpoints.signals import Stop, Stopped, stop_signals
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.evaluation.form import measure
from rlpoet.machine import AUTO, PRECISIONS, check_device, gpu, precision_of
from rlpoet.phonology import phonology
from rlpoet.reporting.charts import save_png
from rlpoet.reporting.poems import console
from rlpoet.reporting.progress import Pulse
from rlpoet.reporting.tracking import Tracker, read_jsonl
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
    if not 0 <= config.prose_until <= 1:
        raise RlpoetError(f"--prose_until: {config.prose_until}; expected a share of the budget, from 0 to 1.")
    if config.prose and not 0 < config.prose_share < 1:
        raise RlpoetError(f"--prose_share: {config.prose_share}; expected a share between 0 and 1.")
    check_device(config.device)
    phonology(config.lang)
    folder, out = Path(config.resume or config.output_dir), console(stderr=True)
    fix = ", begin again with --overwrite"
    with (
        stop_signals() as stop,
        run_folder(folder, resume=bool(config.resume), overwrite=config.overwrite, fix=fix, tell=out.print) as goes_on,
    ):
        resumed = config.resume is not None
        config = dataclasses.replace(config, prepare=config.prepare and not resumed)
        if not goes_on:
            config = dataclasses.replace(config, resume=None, overwrite=False, output_dir=str(folder))
        return run_in(folder, config, out, stop=stop, resumed=resumed)


def run_in(folder: Path, config: PretrainConfig, out: Console, *, stop: Stop, resumed: bool) -> int:
    """Run in a folder that this process holds, from its checkpoint if the configuration resumes one; as ``pretrain_run``.

    Args:
        resumed: whether the folder may hold what this run reads; see ``policies.pretraining.prepared``.
    """
    threads = config.threads or torch.get_num_threads()
    config = dataclasses.replace(config, threads=threads)
    torch.set_num_threads(threads)
    torch.manual_seed(config.seed)
    if not resumed:
        (folder / FILE).unlink(missing_ok=True)  # before the configuration, so that it never belongs to another
    if config.resume is not None and not (folder / "tokenizer.json").exists():
        raise RlpoetError(f"--resume {folder}: no tokenizer.json; expected a run that was stopped. Start one without --resume.")
    data = Prepared.read(folder) if resumed else None
    if data is None or not data.serves(config.max_steps):
        data = prepare(folder, config, out)
    out.print(f"{data.n_train} poems to train on, {data.n_held} held out")
    if config.prepare:
        out.print(f"Prepared in {folder}. Train with: rlpoet pretrain --resume {folder}")
        return 0
    tokenizer, verse_format = kept_tokenizer(folder), VerseFormat.load(folder)
    model = _opened(config, tokenizer, verse_format)
    held_sample, n = [], 0
    for poem in data.held:
        n += count([poem])
        held_sample.append(poem)
        if n > N_EVAL_TOKENS:
            break
    n_tokens = data.n_tokens()
    device = gpu() if config.device == AUTO else config.device
    model = model.to(device)
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

    started_bits = bits_per_char(model, data.held, tokenizer, window=config.window) if config.start and data.held else None

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
                model, tokenizer, data.early, schedule, late=data.late if data.prose else None, late_from=config.prose_until,
                checkpoint=folder / CHECKPOINT, report=report, evaluate=evaluate,
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
        "poems": {"train": data.n_train, "validation": data.n_held},
        "rhyme_pairs": rhyming(reopened, config.eval_samples),
    }  # fmt: skip
    if started_bits is not None:
        result["bits_per_char_at_start"] = started_bits
    after = bits_per_char(reopened.model, data.held, tokenizer, window=config.window) if data.held else None
    if after is not None:
        result["bits_per_char"] = after
    figure = loss_figure(read_jsonl(folder / "metrics.jsonl"), started_bits, after, int(totals["steps"]))
    save_png(figure, folder / "loss.png")
    write_card(folder, result, dataclasses.asdict(config))
    tracker.result(result)  # last: by it a run is done
    tracker.close()
    out.print(result)
    return 0


def _opened(config: PretrainConfig, tokenizer: PreTrainedTokenizerBase, verse_format: VerseFormat) -> LlamaForCausalLM:
    """The model that training begins with: a fresh one, or that of ``config.start`` with the marks, pieces and layers that it lacks."""
    if not config.start:
        return build_model(config.size, tokenizer, seed=config.seed, key_heads=config.key_heads)
    policy = start_of(config)
    assert isinstance(policy.format, VerseFormat)
    if verse_format != policy.format:
        teach_marks(policy.model, policy.tokenizer, policy.format, verse_format)
    if config.vocab_size is not None:
        learn_pieces(policy.model, policy.tokenizer, tokenizer)
    return grown(policy.model, config.grow) if config.grow else policy.model


def rhyming(policy: CausalPolicy, n: int) -> dict[str, float]:
    """Share of scheme pairs that rhyme in ``n`` sampled couplets and quatrains each, temperature 1."""
    forms = ("couplet", "quatrain-abab", "quatrain-abba")
    rollouts = {name: policy.sample([Prompt(policy.format.lang, name)], n) for name in forms}
    return {name: measure(rollout.prompts, rollout.texts)["rhyme_pairs"] for name, rollout in rollouts.items()}
