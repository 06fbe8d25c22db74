"""Fine-tuning changes what it is asked to change, stops, goes on and saves as it says."""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from tiny_plain import gpt2, plain_tokenizer, save_plain
from tiny_policy import BAUDELAIRE, VERLAINE, annotated, tiny_policy
from transformers import AutoModelForCausalLM

from policies.causal_lm import CausalPolicy
from policies.finetuning import run as finetune_run
from policies.finetuning.parts import Row, add_authors, batches, freeze, new_authors, training_rows
from policies.formats.data import IGNORED, Annotated, bos_id, encode
from policies.loading import adapters
from policies.loading.adapters import ALL, add_lora, fingerprint, open_in_four_bits, parse_lora, save_adapter, silent
from policies.loading.files import find_model
from policies.training_loop import Batch, Patience, Schedule, learn
from rlpoet.cli.main import main
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.types import Prompt

CONFIG = Path(__file__).parents[2] / "experiments/configs/finetune_renaissance_love.yaml"
SMALL = ["--threads", "1", "--window", "128", "--batch_size", "2", "--eval_samples", "2", "--logging_steps", "1", "--n_samples", "1"]
SONNET_18 = ("Shall I compare thee to a summer's day?", "Thou art more lovely and more temperate:",
             "Rough winds do shake the darling buds of May,", "And summer's lease hath all too short a date;")  # fmt: skip
WYATT = ("They flee from me that sometime did me seek", "With naked foot, stalking in my chamber.",
         "I have seen them gentle, tame, and meek,", "That now are wild and do not remember")  # fmt: skip
TYGER = ("Tyger Tyger, burning bright,", "In the forests of the night;", "What immortal hand or eye,", "Could frame thy fearful symmetry?")


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    tiny_policy().save(folder)
    return folder


@pytest.fixture(scope="module")
def poems(tmp_path_factory) -> Path:
    """Verlaine and Baudelaire, whom the policy knows, and somebody it does not; one in three is held out."""
    path = tmp_path_factory.mktemp("poems") / "poems.jsonl"
    stanzas = [list(order) for lines in (VERLAINE[:4], BAUDELAIRE) for order in itertools.permutations(lines)][:36]
    rows = [{"author": "Louise Labé" if i % 2 else "Paul Verlaine", "stanzas": [stanza], "age": "x"} for i, stanza in enumerate(stanzas)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def tune(*words: object) -> int:
    return main(["finetune", *SMALL, *map(str, words)])


def rows_of(policy: CausalPolicy, poems: list[Annotated]) -> list[Row]:
    pieces = encode(poems, policy.format, policy.tokenizer)
    return training_rows(pieces, bos=bos_id(policy.tokenizer), window=128, learn_headers=True)


# -- whole runs -------------------------------------------------------------------------------------


def test_a_run_lowers_the_cost_of_poems_it_has_not_read_and_leaves_what_it_says(base, poems, tmp_path):
    run = tmp_path / "run"
    flags = ["--validation", 0.3, "--max_steps", 24, "--save_steps", 8, "--learning_rate", 0.01, "--dtype", "fp32"]
    assert tune("--policy", base, "--data", poems, "--output_dir", run, *flags) == 0
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    assert result["after"]["bits_per_char"] < 0.8 * result["before"]["bits_per_char"]
    assert result["steps"] == 24 and result["new_authors"] == ["Louise Labé"]
    samples = (run / "samples.txt").read_text(encoding="utf-8")
    assert samples.index("# before, step 0") < samples.index("# after, step 24")
    assert (run / "loss.png").read_bytes().startswith(b"\x89PNG") and list(run.glob("events.out.*"))
    card = (run / "README.md").read_text(encoding="utf-8")
    assert f"{result['after']['bits_per_char']:.3f}" in card and "Louise Labé" in card
    logged = [json.loads(row) for row in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {"train/loss", "train/lr", "train/grad_norm"} <= set(logged[1])
    phases = [json.loads(row)["phase"] for row in (run / "samples.jsonl").read_text(encoding="utf-8").splitlines()]
    assert phases == ["before", "after"]
    again = CausalPolicy.load(run)
    drawn = again.sample([Prompt("fr", "couplet", "Louise Labé")], 8, max_new_tokens=4000)
    assert "Louise Labé" in again.authors and drawn.ended.float().mean() > 0.5
    with pytest.raises(RlpoetError, match="holds a run already"):
        finetune_run.finetune_run(finetune_run.FinetuneConfig(str(base), (str(poems),), str(run), max_steps=1))


def test_a_stopped_run_that_goes_on_ends_with_the_weights_of_one_that_never_stopped(base, poems, tmp_path, monkeypatch):
    flags = ["--policy", base, "--data", poems, "--max_steps", 6, "--save_steps", 2, "--validation", 0.3, "--dtype", "fp32"]
    lora = ["--lora", "r=2,dropout=0.3"]  # dropout draws: the state of chance has to be kept too
    assert tune(*flags, *lora, "--output_dir", tmp_path / "whole", "--gradient_accumulation_steps", 2) == 0
    real = finetune_run.batches

    def stopping(*args, **kwargs):
        yield from itertools.islice(real(*args, **kwargs), 7)
        raise KeyboardInterrupt

    monkeypatch.setattr(finetune_run, "batches", stopping)
    assert tune(*flags, *lora, "--output_dir", tmp_path / "cut", "--gradient_accumulation_steps", 2) == 130
    assert "# interrupted, step 3" in (tmp_path / "cut" / "samples.txt").read_text(encoding="utf-8")
    monkeypatch.setattr(finetune_run, "batches", real)
    assert main(["finetune", "--resume", str(tmp_path / "cut")]) == 0
    whole, cut = (CausalPolicy.load(tmp_path / name).model.state_dict() for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    steps = [json.loads(row)["step"] for row in (tmp_path / "cut" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert steps == sorted(steps) and steps[-1] == 6


def test_the_worked_example_filters_its_table_and_searches_with_beams(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tokens = plain_tokenizer()
    save_plain(tmp_path / "model", gpt2(tokens), tokens)
    table = "author,content,poem name,age,type\n"
    for author, lines, age, kind in (
        ("WILLIAM SHAKESPEARE", SONNET_18, "Renaissance", "Love"),
        ("WILLIAM SHAKESPEARE", SONNET_18[::-1], "Renaissance", "Love"),
        ("SIR THOMAS WYATT", WYATT, "Renaissance", "Love"),
        ("WILLIAM BLAKE", TYGER, "Modern", "Nature"),
    ):
        table += f'{author},"{chr(13) + chr(10)}'.replace("\r\n", "") + "\r\n".join(lines) + f'",x,{age},{kind}\n'
    Path("poems.csv").write_text(table, encoding="utf-8", newline="")
    overrides = ["--policy", "model", "--lang", "en", "--max_steps", 2, "--output_dir", "run", "--window", 300, "--lora", "r=2,alpha=4"]
    overrides += ["--sampling.max_new_tokens", 24]
    assert tune("--config", CONFIG, *overrides) == 0
    result = json.loads(Path("run/result.json").read_text(encoding="utf-8"))
    assert sum(result["poems"].values()) == 3  # not the tyger
    samples = Path("run/samples.txt").read_text(encoding="utf-8")
    assert "beams 4" in samples and "couplet, WILLIAM SHAKESPEARE" in samples
    assert CausalPolicy.load("run").lang == "en"


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--freeze", "atention"], "did you mean 'attention'"),
        (["--freeze", "embeddings,all-but-head"], "nothing is left to train"),
        (["--lora", "rank=3"], "expected one of alpha, dropout, r"),
        (["--lora", "r=0"], "whole numbers of 1 or more"),
        (["--lora", "r=2", "--lora_target", "q_prj"], "did you mean 'q_proj'"),
        (["--qlora"], "given without --lora"),
        (["--lora", "r=2", "--freeze", "attention"], "expected one of them"),
        (["--epochs", "-1"], "expected 0 or more"),
        (["--sampling.temprature", "1"], "did you mean 'temperature'"),
        (["--lang", "es"], "writes 'fr'"),
        (["--resume"], "no config.yaml"),
        (["--where", "agee=x"], "did you mean 'age'"),
        (["--authors", "Paul Verlain"], "did you mean 'Paul Verlaine'"),
        (["--window", "3"], "expected 16 tokens or more"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(base, poems, tmp_path, capsys, flags, message):
    assert tune("--policy", base, "--data", poems, "--output_dir", tmp_path / "x", "--max_steps", 1, *flags) == 2
    told = capsys.readouterr().err.strip().split("\n")[-1]
    assert message in told and told.startswith("rlpoet finetune: ")


# -- what is trained --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parts, still",
    [(["attention"], "attn"), (["embeddings"], "embed"), (["attention", "embeddings"], "attn"), (["all-but-head"], "mlp")],
)
def test_frozen_parts_stay_and_the_others_move(parts, still):
    policy = tiny_policy()
    freeze(policy.model, parts)
    before = {name: p.clone() for name, p in policy.model.named_parameters()}
    rows = rows_of(policy, annotated())
    trained = [p for p in policy.model.parameters() if p.requires_grad]
    step(policy, batches(rows, batch_size=2, pad=policy.pad, seed=0), torch.optim.AdamW(trained, lr=0.01))
    moved = {name for name, p in policy.model.named_parameters() if not torch.equal(p, before[name])}
    assert moved and not any(still in name for name in moved)
    assert moved == {name for name, p in policy.model.named_parameters() if p.requires_grad}


def step(policy, rows, optim, n: int = 1, *, folder: Path | None = None, **options) -> dict[str, float]:
    """``n`` updates at a rate that falls along a cosine."""
    schedule = Schedule(steps=n, warmup_steps=0, curve="cosine")
    quiet = {"report": lambda step, numbers: None, "evaluate": dict, "every": 1000, "bf16": False}
    with tempfile.TemporaryDirectory() as own:
        return learn(policy.model, rows, [optim], schedule, checkpoint=(folder or Path(own)) / "checkpoint.pt", **(quiet | options))


def test_accumulated_batches_make_the_update_of_one_large_batch():
    poems, weights = annotated(), []
    for size, accumulate in ((3, 1), (1, 3)):
        policy = tiny_policy()
        rows = rows_of(policy, poems)  # of different lengths: a mean of means would differ
        optim = torch.optim.SGD(policy.model.parameters(), lr=0.1)
        step(policy, batches(rows, batch_size=size, pad=policy.pad, seed=0), optim, accumulate=accumulate)
        weights.append(policy.model.state_dict())
    assert all(torch.allclose(weights[0][name], weights[1][name], atol=1e-5) for name in weights[0])


def test_early_stopping_waits_and_gives_back_the_best_weights(tmp_path):
    policy = tiny_policy()
    costs = iter([2.0, 1.0, 1.5, 1.5, 9.0, 9.0])
    seen: list[torch.Tensor] = []

    def evaluate() -> dict[str, float]:
        seen.append(policy.model.lm_head.weight.detach().clone())
        return {"cost": next(costs)}

    rows = batches(rows_of(policy, annotated()), batch_size=1, pad=policy.pad, seed=0)
    optim = torch.optim.AdamW(policy.model.parameters(), lr=0.01)
    done = step(policy, rows, optim, 100, evaluate=evaluate, every=1, patience=Patience("cost", 2, tmp_path / "best.pt"))
    assert done["steps"] == 4 and done["stopped_early"] and done["best"] == 1.0
    assert torch.equal(policy.model.lm_head.weight, seen[1])


def test_every_row_is_seen_once_an_epoch_whatever_its_length():
    rows = [Row(tuple(range(5, 5 + n)), (True,) + (False,) * (n - 1)) for n in (3, 9, 4, 4, 2, 7, 5)]
    for by_length in (True, False):
        fed = list(itertools.islice(batches(rows, batch_size=2, pad=0, seed=1, by_length=by_length), 8))
        for epoch in (fed[:4], fed[4:]):
            seen = sorted(tuple(i for i in ids if i) for batch in epoch for ids in batch.ids.tolist())
            assert seen == sorted(row.ids for row in rows)
        assert [batch.epoch for batch in fed] == [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]
        assert all((batch.labels[:, 0] == IGNORED).all() and (batch.labels[batch.ids == 0] == IGNORED).all() for batch in fed)
    widths = [batch.ids.numel() for batch in fed[:4]]
    sorted_widths = [b.ids.numel() for b in itertools.islice(batches(rows, batch_size=2, pad=0, seed=1), 4)]
    assert sum(sorted_widths) <= sum(widths)


def test_the_first_budget_that_is_spent_ends_a_run():
    def steps(**budget: float) -> int:
        return finetune_run.schedule_steps(finetune_run.FinetuneConfig("fr", ("x",), "y", batch_size=4, **budget), 10)

    assert steps() == 9 and steps(epochs=2) == 6 and steps(max_steps=50) == 50 and steps(epochs=1, max_steps=50) == 3
    assert steps(minutes=1.0) == 0 and steps(minutes=1.0, epochs=1) == 3 and steps(epochs=2, gradient_accumulation_steps=4) == 2


def test_the_rate_warms_up_and_falls_along_a_cosine_to_nothing():
    rates = [Schedule(steps=100, warmup_steps=10, curve="cosine").rate(i, 0.0) for i in range(101)]
    assert rates[0] == 0.1 and max(rates) < 1.0 and rates[100] == 0.0
    assert rates[:9] == sorted(rates[:9]) and rates[10:] == sorted(rates[10:], reverse=True)


def test_a_broken_checkpoint_is_named(tmp_path):
    policy = tiny_policy()
    (tmp_path / "checkpoint.pt").write_bytes(b"no")
    rows = iter([Batch(0, torch.zeros(1, 2, dtype=torch.long), torch.zeros(1, 2, dtype=torch.long))])
    with pytest.raises(RlpoetError, match="broken checkpoint"):
        step(policy, rows, torch.optim.SGD(policy.model.parameters()), folder=tmp_path)


# -- authors ----------------------------------------------------------------------------------------


def test_a_new_author_starts_as_nobody_in_a_spare_row():
    policy = tiny_policy()
    n_rows = policy.model.config.vocab_size
    [mark] = add_authors(policy, ["Louise Labé"])
    assert policy.authors[-1] == "Louise Labé" and policy.model.config.vocab_size == n_rows
    prompts = [Prompt("fr", "quatrain-abab", name) for name in ("Louise Labé", None)]
    named, nobody = (policy.write([prompt], ["\n".join(BAUDELAIRE)]) for prompt in prompts)
    assert mark in named.ids[0] and mark not in nobody.ids[0]
    assert policy.log_prob(named).sum().item() == pytest.approx(policy.log_prob(nobody).sum().item(), abs=1e-3)


def test_the_vocabulary_grows_when_no_row_is_left():
    policy = tiny_policy()
    n_rows = policy.model.config.vocab_size
    names = [f"Poet {i}" for i in range(n_rows - len(policy.tokenizer) + 1)]
    add_authors(policy, names)
    assert policy.model.config.vocab_size == n_rows + 64
    assert policy.sample([Prompt("fr", "couplet", names[-1])], max_new_tokens=4000).ended.all()


def test_only_poets_with_forty_lines_get_a_mark():
    policy = tiny_policy()
    group = annotated()[1].groups[0]  # four lines
    poems = [Annotated(name, (group,) * n) for name, n in (("A", 10), ("B", 9), ("C", 20), ("Charles Baudelaire", 30))]
    assert new_authors(policy, poems, most=16) == ["C", "A"] and new_authors(policy, poems, most=1) == ["C"]


# -- adapters ---------------------------------------------------------------------------------------


def trained_adapter(base: Path, folder: Path, *, names: tuple[str, ...] = ()) -> CausalPolicy:
    policy = CausalPolicy.load(base)
    marks = add_authors(policy, names)
    adapter = add_lora(policy.model, parse_lora("r=2"), tokens=marks)
    with torch.no_grad():
        for p in policy.model.parameters():
            if p.requires_grad:
                p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    save_adapter(adapter, folder, base=base, tokenizer=policy.tokenizer, verse_format=policy.format)
    return policy


def test_an_adapter_is_saved_alone_and_opens_on_its_base(base, tmp_path):
    policy = trained_adapter(base, tmp_path / "adapter", names=("Louise Labé",))
    files = {path.name for path in (tmp_path / "adapter").iterdir()}
    assert "adapter_model.safetensors" in files and "adapter_config.json" in files and "model.safetensors" not in files
    again = CausalPolicy.load(tmp_path / "adapter")
    prompt = Prompt("fr", "quatrain-abab", "Louise Labé")
    rollout = policy.write([prompt], ["\n".join(BAUDELAIRE)])
    plain = CausalPolicy.load(base).write([Prompt("fr", "quatrain-abab")], ["\n".join(BAUDELAIRE)])
    ours, theirs = policy.log_prob(rollout).sum().item(), again.log_prob(rollout).sum().item()
    assert ours == pytest.approx(theirs, abs=1e-2)
    assert abs(ours - CausalPolicy.load(base).log_prob(plain).sum().item()) > 0.1
    drawn = [p.sample([prompt], 2, temperature=0.0, max_new_tokens=12).ids.tolist() for p in (policy, again)]
    assert drawn[0] == drawn[1]  # sampling through the layers, and through the merged weights


def test_an_adapter_with_more_poets_than_spare_rows_opens_with_grown_tables(base, tmp_path):
    names = tuple(f"Poet {i}" for i in range(80))
    policy = trained_adapter(base, tmp_path, names=names)
    again = CausalPolicy.load(tmp_path)
    assert again.model.config.vocab_size == policy.model.config.vocab_size > CausalPolicy.load(base).model.config.vocab_size
    rollout = policy.write([Prompt("fr", "quatrain-abab", names[-1])], ["\n".join(BAUDELAIRE)])
    assert again.log_prob(rollout).sum().item() == pytest.approx(policy.log_prob(rollout).sum().item(), abs=1e-2)


def test_an_adapter_may_sit_on_an_adapter(base, tmp_path):
    trained_adapter(base, tmp_path / "first")
    policy = trained_adapter(tmp_path / "first", tmp_path / "second")
    rollout = policy.write([Prompt("fr", "quatrain-abab")], ["\n".join(BAUDELAIRE)])
    told = [CausalPolicy.load(tmp_path / name).log_prob(rollout).sum().item() for name in ("first", "second")]
    assert told[1] == pytest.approx(policy.log_prob(rollout).sum().item(), abs=1e-2) and abs(told[0] - told[1]) > 0.1


def test_an_adapter_another_program_made_is_taken_at_its_word(base, tmp_path):
    policy = trained_adapter(base, tmp_path)
    (tmp_path / "adapter_base.json").unlink()
    rollout = policy.write([Prompt("fr", "quatrain-abab")], ["\n".join(BAUDELAIRE)])
    assert CausalPolicy.load(tmp_path).log_prob(rollout).sum().item() == pytest.approx(policy.log_prob(rollout).sum().item(), abs=1e-2)


def test_an_adapter_on_another_base_is_an_error_that_names_both(base, tmp_path):
    other = tmp_path / "other"
    tiny_policy().save(other)
    trained_adapter(other, tmp_path / "adapter")
    mine = fingerprint(find_model(other))
    tiny_policy(seed=1).save(other)
    theirs = fingerprint(find_model(other))
    with pytest.raises(RlpoetError, match=f"(?s){mine}.*{theirs}"):
        CausalPolicy.load(tmp_path / "adapter")
    for path in other.iterdir():
        path.unlink()
    other.rmdir()
    with pytest.raises(RlpoetError, match="is not to be found"):
        CausalPolicy.load(tmp_path / "adapter")


def test_an_adapter_and_its_base_may_move_together(tmp_path):
    home = tmp_path / "home"
    tiny_policy().save(home / "base")
    trained_adapter(home / "base", home / "adapter")
    home.rename(tmp_path / "away")
    assert CausalPolicy.load(tmp_path / "away" / "adapter").lang == "fr"


def test_only_the_adapter_learns_and_the_base_is_untouched(base):
    policy = CausalPolicy.load(base)
    before = {name: p.clone() for name, p in policy.model.named_parameters()}
    add_lora(policy.model, parse_lora("r=2"), targets=["q_proj,v_proj", "o_proj"])
    trained = [name for name, p in policy.model.named_parameters() if p.requires_grad]
    assert trained and all("lora_" in name and "self_attn" in name for name in trained)
    now = dict(policy.model.named_parameters())
    assert all(torch.equal(now.get(name, now.get(name.replace(".weight", ".base_layer.weight"))), p) for name, p in before.items())


def test_merged_weights_are_whole_and_open_anywhere(base, poems, tmp_path):
    flags = ["--lora", "r=2", "--max_steps", 3, "--merge", "--learning_rate", 0.05, "--dtype", "fp32"]
    assert tune("--policy", base, "--data", poems, "--output_dir", tmp_path / "run", *flags) == 0
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "run")
    whole, alone = CausalPolicy.load(tmp_path / "run"), CausalPolicy.load(tmp_path / "run" / "adapter")
    ids = torch.tensor([whole.start_ids(Prompt("fr", "couplet"))])
    with torch.no_grad():
        assert torch.allclose(model(input_ids=ids).logits, alone.model(input_ids=ids).logits, atol=1e-3)


# -- four bits --------------------------------------------------------------------------------------


def test_a_gradient_passes_four_bit_layers_after_an_evaluation_too(base):
    """bitsandbytes packs a layer for inference on some CPUs, and a packed layer passes none."""
    pytest.importorskip("bitsandbytes")
    grads = []
    for evaluated in (False, True):
        model = open_in_four_bits(find_model(base))
        torch.manual_seed(0)
        add_lora(model, parse_lora("r=2"), targets=[ALL])
        for name, p in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(p)
        ids = torch.arange(20, 40)[None]
        if evaluated:
            with torch.no_grad():
                model.eval()(input_ids=ids)
        model.train()(input_ids=ids, labels=ids).loss.backward()
        grads.append(torch.cat([p.grad.flatten() for name, p in model.named_parameters() if "layers.0" in name and "lora_B" in name]))
    assert grads[0].abs().max() > 0 and torch.allclose(grads[0], grads[1], rtol=1e-3, atol=1e-6)


def test_four_bits_without_bitsandbytes_says_what_to_use_instead(base, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(RlpoetError, match=r"pip install 'rlpoet\[qlora\]'.*--lora without --qlora"):
        open_in_four_bits(find_model(base))


def test_four_bits_that_do_not_compute_here_are_found_out_before_anything_is_loaded(base, monkeypatch):
    with silent():
        bnb = pytest.importorskip("bitsandbytes")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no kernel for this device")

    monkeypatch.setattr(bnb.nn, "Linear4bit", broken)
    with pytest.raises(RlpoetError, match=r"cannot compute in four bits on .* \(no kernel for this device\)"):
        adapters.four_bits()


def test_unknown_targets_are_told(base):
    with pytest.raises(UnknownName, match="did you mean 'k_proj'"):
        add_lora(CausalPolicy.load(base).model, parse_lora("r=1"), targets=["kproj"])
