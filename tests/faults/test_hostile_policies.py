"""Folders of policies that were damaged or made to do harm: each opens and writes, or is one short line. None hangs, and none is run."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_policy import tiny_policy
from torch import Tensor

from policies.causal_lm import CausalPolicy
from policies.loading.checks import check_folder
from policies.loading.files import SHIPPED
from rlpoet.errors import RlpoetError
from rlpoet.text import CONTROLS
from rlpoet.types import Prompt

ORDERS = "\x1b[2J\x1b]0;x\x07"
EVIL = "import pathlib; pathlib.Path('ran').touch()\nfrom transformers import LlamaConfig as E, LlamaForCausalLM as M"
PICKLE = b"cposix\nsystem\n(S'touch ran'\ntR."
PADDING = {
    "strategy": {"Fixed": 10**9}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "<|pad|>",
}  # fmt: skip
Damage = Callable[[Path], Any]


def table(name: str, **values: Any) -> Damage:
    """Other entries in a JSON file."""

    def change(folder: Path) -> None:
        entries = json.loads((folder / name).read_text(encoding="utf-8"))
        (folder / name).write_text(json.dumps({**entries, **values}), encoding="utf-8")

    return change


def config(**values: Any) -> Damage:
    return table("config.json", **values)


def weights(change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Damage:
    def call(folder: Path) -> None:
        path = folder / "model.safetensors"
        save_file({name: weight.contiguous() for name, weight in change(load_file(path)).items()}, path, metadata={"format": "pt"})

    return call


def each(change: Callable[[Tensor], Tensor]) -> Damage:
    return weights(lambda held: {name: change(weight) for name, weight in held.items()})


def replaced(name: str, put: Callable[[Path], object]) -> Damage:
    def call(folder: Path) -> None:
        (folder / name).unlink()
        put(folder / name)

    return call


def code(**values: Any) -> Damage:
    def call(folder: Path) -> None:
        config(auto_map={"AutoConfig": "evil.E", "AutoModelForCausalLM": "evil.M"}, **values)(folder)
        (folder / "evil.py").write_text(EVIL, encoding="utf-8")

    return call


def pieces(spell: Callable[[int], str]) -> Damage:
    """Pieces of words that are spelled otherwise."""

    def call(folder: Path) -> None:
        path = folder / "tokenizer.json"
        entries = json.loads(path.read_text(encoding="utf-8"))
        model = entries["model"]
        n_marks = max(mark["id"] for mark in entries["added_tokens"]) + 1
        words = {name: number for name, number in model["vocab"].items() if number >= n_marks and len(name) > 1 and "<" not in name}
        model["vocab"] = {spell(number) if name in words else name: number for name, number in model["vocab"].items()}
        model["merges"] = []
        path.write_text(json.dumps(entries), encoding="utf-8")

    return call


def vocabulary(number_of: Callable[[int], int]) -> Damage:
    """Other numbers of pieces."""

    def call(folder: Path) -> None:
        path = folder / "tokenizer.json"
        entries = json.loads(path.read_text(encoding="utf-8"))
        entries["model"]["vocab"] = {name: number_of(number) for name, number in entries["model"]["vocab"].items()}
        path.write_text(json.dumps(entries), encoding="utf-8")

    return call


def adapter(**values: Any) -> Damage:
    def call(folder: Path) -> None:
        about = {"base_model_name_or_path": str(folder), "peft_type": "LORA", "r": 2, "target_modules": ["q_proj"], **values}
        (folder / "adapter_config.json").write_text(json.dumps(about), encoding="utf-8")

    return call


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(PICKLE)


def nan(weight: Tensor) -> Tensor:
    return torch.full_like(weight, float("nan"))


# what is done to the folder, and what the line has to say; empty where the policy may also open
DAMAGES: dict[str, tuple[Damage, str]] = {
    "a thousand million layers": (config(num_hidden_layers=10**9), "claims .* weights"),
    "many layers": (config(num_hidden_layers=10**5), "claims .* weights"),
    "no layers": (config(num_hidden_layers=0), "num_hidden_layers: 0; expected 1 or more"),
    "layers below 0": (config(num_hidden_layers=-1), "expected 1 or more"),
    "no heads": (config(num_attention_heads=0), "num_attention_heads: 0"),
    "no heads of keys": (config(num_key_value_heads=0), "num_key_value_heads: 0"),
    "no pieces": (config(vocab_size=0), "vocab_size: 0"),
    "a thousand million pieces": (config(vocab_size=10**9), "claims"),
    "wide": (config(hidden_size=10**9), "claims"),
    "a word for eps": (config(rms_norm_eps="x"), "rms_norm_eps: 'x'; expected a number"),
    "eps beyond float32": (config(rms_norm_eps=1e300), "expected a number from 0 to 1"),
    "eps that is no number": (config(rms_norm_eps=float("nan")), "expected a number from 0 to 1"),
    "a word for theta": (config(rope_parameters={"rope_type": "default", "rope_theta": "x"}), "broken policy"),
    "a number for packing": (config(quantization_config=5), "broken policy"),
    "packed for another library": (config(quantization_config={"quant_method": "gptq", "bits": 4}), "not installed"),
    "orders in its type": (config(model_type=ORDERS), "broken policy"),
    "another width": (config(hidden_size=64), "broken policy"),
    "code": (code(model_type="evil"), "code of its own, which is not run unasked"),
    "code beside a known type": (code(), ""),
    "pickle": (pickled, "broken policy"),
    "weights that are no numbers": (each(nan), "logits that are no numbers"),
    "one that is not": (weights(lambda held: {**held, "model.norm.weight": nan(held["model.norm.weight"])}), "no numbers"),
    "infinite": (each(lambda weight: torch.full_like(weight, torch.inf)), "no numbers"),
    "turned": (each(lambda weight: weight.t() if weight.ndim == 2 else weight), r"is \(\d+, \d+\) for .*, and \d+ more"),
    "whole numbers": (each(lambda weight: weight.to(torch.int8)), ""),
    "one missing": (
        weights(lambda held: {name: weight for name, weight in held.items() if "layers.1.mlp.up" not in name}),
        r"layers\.1\.mlp\.up_proj\.weight is missing",
    ),
    "one too many": (weights(lambda held: {**held, f"{ORDERS}[/b]": torch.zeros(3)}), ""),
    "a giant header": (replaced("model.safetensors", lambda path: path.write_bytes((2**62).to_bytes(8, "little") + b"{}")), "broken"),
    "weights from a pipe": (replaced("model.safetensors", os.mkfifo), "no regular file"),
    "configuration from a pipe": (replaced("config.json", os.mkfifo), "no policy in it|no regular file"),
    "format without end": (replaced("verse_format.json", lambda path: path.symlink_to("/dev/zero")), "no regular file"),
    "a link to itself": (replaced("tokenizer.json", lambda path: path.symlink_to(path.name)), "broken policy"),
    "orders in pieces": (pieces(lambda number: f"▁{ORDERS}{number}"), ""),
    "markup in pieces": (pieces(lambda number: f"▁[/b]<script>{number}"), ""),
    "breaks in pieces": (pieces(lambda number: f"a\n\r\u2028{number}"), ""),
    "pieces beyond the model": (vocabulary(lambda number: number * 1000), "its tokenizer has no mark"),
    "padding without end": (table("tokenizer.json", padding=PADDING), ""),
    "a class of the system": (table("tokenizer_config.json", tokenizer_class="os.system"), ""),
    "a mark that is not there": (table("tokenizer_config.json", pad_token="<|nope|>"), ""),
    "a language elsewhere": (table("verse_format.json", lang="../../x"), ""),
    "a countdown without end": (table("verse_format.json", countdown=10**9), "its tokenizer has no mark"),
    "an adapter of itself": (adapter(), "itself"),
    "an adapter of the hub": (adapter(base_model_name_or_path="evil/evil"), "evil/evil"),
}  # fmt: skip
QUICK = ("no heads", "a thousand million layers", "weights from a pipe", "eps that is no number", "an adapter of itself")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("policies") / "tiny"
    tiny_policy().save(folder)
    return folder


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in DAMAGES])
def test_a_hostile_policy_writes_or_is_one_line(name, tiny, tmp_path, monkeypatch, capfd):
    damage, expected = DAMAGES[name]
    folder = tmp_path / "policy"
    shutil.copytree(tiny, folder)
    damage(folder)
    monkeypatch.chdir(tmp_path)
    try:
        CausalPolicy.load(folder, inference_only=True).sample([Prompt("fr", "couplet")], 1, max_new_tokens=40)
        assert expected == ""
    except RlpoetError as error:
        told = str(error).replace(str(folder), "")
        assert re.search(expected, str(error)) and "\n" not in told and len(told) < 500, told
    said = capfd.readouterr()
    assert not CONTROLS.search((said.out + said.err).replace("\n", "")) and "REPORT" not in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["policy"]  # nothing ran


def test_what_is_shipped_and_saved_is_let_in(tiny):
    for folder in (tiny, *(path for path in SHIPPED.iterdir() if path.is_dir())):
        check_folder(folder)


def test_whoever_may_read_new_files_may_read_weights(tiny, tmp_path):
    (tmp_path / "new").touch()
    usual = stat.S_IMODE((tmp_path / "new").stat().st_mode)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tiny.iterdir()} == {usual}
