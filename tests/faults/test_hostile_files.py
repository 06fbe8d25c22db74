"""A hundred hostile files for every reader: each is read, or is one short line that names it. None is run, and none takes long."""

from __future__ import annotations

import gzip
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_policy import tiny_policy

from policies.causal_lm import CausalPolicy
from policies.formats.codec import load_format
from policies.loading.adapters import read_base
from policies.loading.files import ADAPTER
from rlpoet.analysis.authorship.model import StyleModel
from rlpoet.analysis.coherence.model import ThemeModel
from rlpoet.analysis.ngram_index import NgramIndex
from rlpoet.checkpoints.files import read_checkpoint
from rlpoet.checkpoints.folder import run_state
from rlpoet.config.documents import read_settings
from rlpoet.corpus import Columns, read_poems
from rlpoet.errors import RlpoetError
from rlpoet.evaluation import sampled
from rlpoet.evaluation.human_ratings import read_ratings
from rlpoet.evaluation.poems import read_evaluation_poems
from rlpoet.evaluation.rating_sheets import read_key, read_sheet
from rlpoet.evaluation.score import score_file
from rlpoet.languages import settings
from rlpoet.registry import class_of
from rlpoet.reporting.run_report import write_report
from rlpoet.reporting.tracking import read_jsonl
from rlpoet.text.tables import read_table

ROOT = Path(__file__).resolve().parents[2]
LONGEST_MESSAGE = 900  # beside its paths
MOST_SECONDS = 60  # of processor time: some take six on a usual machine, and what grows with the square takes minutes
DIGITS = b"9" * 5000

BYTES = {
    "empty": b"",
    "spaces": b" \n\t\n",
    "nul": b"\0" * 300,
    "nul in text": b"am\0our\njour",
    "high": bytes(range(128, 256)),
    "latin": b"\xe9t\xe9\n",
    "mark": b"\xef\xbb\xbf",
    "utf-16": "amour\njour\n".encode("utf-16"),
    "half a character": b"amour\xc3",
    "surrogate": b"\xed\xa0\xbd\n",
    "overlong": b"\xc0\xaf\n",
    "escape": b"\x1b[2J\x1b]0;x\x07\n",
    "returns": b"\r" * 2000,
    "separators": "a\u2028b\u2029c\x0bd\x85".encode(),
    "one long line": b"a" * 20_000,
    "many lines": b"\n".join([b"a"] * 2_000),
    "tabs": b"\t" * 5000,
    "commas": b"," * 5000,
    "quotes": b'"' * 5000,
    "open quote": b'a,b\n"c',
    "bars": b"|" * 2000,
    "right to left": "\u202eamour\u202c\n".encode(),
    "combining": ("e" + "\u0301" * 5000).encode(),
    "emoji": "👩‍👩‍👧\U0001f1eb\U0001f1f7\n".encode() * 50,
    "markup": b"[/b][red]x[/]\n",
    "script": b"<script>alert(1)</script>\n",
    "formula": b"=1+1\n@x\n",
    "format": b"%s%n{0}{x!r}\n",
    "shell": b"$(touch ran)`touch ran`\n",
    "zip": b"PK\x03\x04" + b"x" * 60,
    "gzip": gzip.compress(b"amour\njour\n"),
    "half gzip": gzip.compress(b"amour\n" * 99)[:20],
    "png": b"\x89PNG\r\n\x1a\n",
    "pickle": b"\x80\x04\x95\x1b\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x8c\x06system\x93\x8c\x08touch ran\x85R.",
    "parquet": b"PAR1xPAR1",
    "numpy": b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
    "safetensors": b"\xff" * 8 + b"{}",
    "gguf": b"GGUF\x03\0\0\0" + b"\xff" * 40,
    "arrow": b"ARROW1\0\0" + b"x" * 20,
}
JSONS = {
    "null": b"null",
    "true": b"true",
    "number": b"5",
    "text": b'"text"',
    "list": b"[]",
    "table": b"{}",
    "lists": b"[[]]",
    "numbers": b"[1, 2]",
    "digits": DIGITS,
    "digits in it": b'{"a": ' + DIGITS + b"}",
    "minus": b'{"a": -' + DIGITS + b"}",
    "infinity": b'{"a": Infinity, "b": NaN}',
    "exponent": b'{"a": 1e999999}',
    "deep list": b"[" * 100_000,
    "deep table": b'{"a":' * 50_000,
    "closed deep": b"[" * 60_000 + b"]" * 60_000,
    "surrogates": b'{"\\ud83d": "\\udc00"}',
    "twice": b'{"a": 1, "a": 2}',
    "cut": b'{"a": [1, 2',
    "trailing": b'{"a": 1,}',
    "two": b"{}{}",
    "comment": b"// x\n{}",
    "single": b"{'a': 1}",
    "nul in it": b'{"a": "\\u0000"}',
    "wide": b'{"a": [' + b"1," * 50_000 + b"1]}",
    "stanzas": b'{"stanzas": 5}',
    "stanzas of numbers": b'{"stanzas": [[1]]}',
    "stanzas of lists": b'{"stanzas": [[["a"]]]}',
    "empty stanzas": b'{"stanzas": []}',
    "stanza of nothing": b'{"stanzas": [[], [""]]}',
    "break": b'{"stanzas": [["a\\nb"]]}',
    "table of stanzas": b'{"stanzas": {"a": "b"}}',
    "rhymed": b'{"stanzas": [["a"]], "rhymed": {}}',
    "rhymed nan": b'{"stanzas": [["a"]], "rhymed": NaN}',
    "author": b'{"stanzas": [["a"]], "author": {"a": [1]}}',
    "text number": b'{"text": 5}',
    "text list": b'{"text": [["a"], 5]}',
    "prompts": b'{"prompts": 5, "texts": 5}',
    "prompts of numbers": b'{"prompts": [1], "texts": ["a"]}',
    "more texts": b'{"prompts": [], "texts": ["a"]}',
    "prompts of tables": b'{"prompts": [{"lang": 5, "form": []}], "texts": [[]]}',
    "figures": b'{"figures": [], "prompts": [], "texts": []}',
    "policy class": b'{"policy_class": {"a": 1}}',
    "base": b'{"base": 5}',
    "base of lists": b'{"base": [], "relative": {}}',
    "format": b'{"lang": 5, "authors": 5}',
    "result": b'{"before": 5, "after": [], "reward": "x"}',
    "interrupted": b'{"interrupted": {}}',
    "settings": b'{"rewards": 5, "forms": 5, "lang": []}',
    "metrics": b'{"step": "x", "reward/mean": "y"}',
}
BOMB = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + i, 98 + i, b", ".join([b"*%c" % (97 + i)] * 9)) for i in range(9)
)
YAMLS = {
    "bomb": BOMB,
    "circle": b"a: &a [*a]",
    "python": b"!!python/object/apply:os.system ['touch ran']",
    "date": b"a: 2020-99-99",
    "digits": b"a: " + DIGITS,
    "key": b"? [a]\n: b",
    "deep": b"[" * 20_000,
    "anchor": b"a: *x",
    "tab": b"a:\n\tb: c",
    "merge": b"<<: 5\na: 1",
    "documents": b"a: 1\n---\nb: 2\n",
    "toml": b"a = 1\n[b]\nc = [" + b"[" * 20_000,
    "toml digits": b"a = " + DIGITS,
    "toml code": b'code = "../x"\n',
    "toml twice": b"a = 1\na = 2\n",
}
FILES = {
    f"{kind} {name}": content for kind, table in (("bytes", BYTES), ("json", JSONS), ("yaml", YAMLS)) for name, content in table.items()
}


def in_folder(name: str, read: Callable[[Path], Any], **others: bytes) -> Callable[[Path], Any]:
    """A reader of a folder in which the file has a name of its own."""

    def call(path: Path) -> Any:
        folder = path.parent / f"{path.stem}-folder"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copyfile(path, folder / name)
        for other, content in others.items():
            (folder / other.replace("__", ".")).write_bytes(content)
        return read(folder)

    return call


def named(suffix: str, read: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """A reader of a file with another ending."""
    return lambda path: read(path.rename(path.with_suffix(suffix)))


def policy_with(name: str) -> Callable[[Path], Any]:
    """Open a tiny policy of which one file is the hostile one."""

    def call(path: Path) -> Any:
        folder = path.parent / f"{path.stem}-policy"
        shutil.copytree(path.parent.parent / "tiny", folder)
        shutil.copyfile(path, folder / name)
        return CausalPolicy.load(folder, inference_only=True)

    return call


READERS: dict[str, Callable[[Path], Any]] = {
    **{
        f"poems {suffix}": named(suffix, lambda path: read_poems([path]))
        for suffix in (".jsonl", ".json", ".csv", ".tsv", ".txt", ".md", ".parquet", ".jsonl.gz", ".txt.gz", ".csv.gz")
    },
    "poems of a run": named(".json", lambda path: read_evaluation_poems([str(path)], "fr", [], columns=Columns())),
    "score": named(".txt", lambda path: score_file(str(path), "fr")),
    "rating sheet": named(".csv", read_sheet),
    "ratings": named(".csv", lambda path: read_ratings([str(path)])),
    "key": named(".csv", read_key),
    "table": named(".tsv", lambda path: list(read_table(path, ("a", "b")))),
    "settings of a run": named(".yaml", read_settings),
    "log": read_jsonl,
    "measured": sampled.read,
    "checkpoint": read_checkpoint,
    "language": in_folder("language.toml", settings.read_settings),
    "words of a language": in_folder(
        "words.tsv", settings.read_settings, language__toml=(ROOT / "experiments/languages/it/language.toml").read_bytes()
    ),
    "result": in_folder("result.json", run_state),
    "report of a result": in_folder("result.json", write_report),
    "report of a configuration": in_folder("config.yaml", write_report, result__json=b"{}"),
    "report of a log": in_folder("metrics.jsonl", write_report),
    "report of samples": in_folder("samples.jsonl", write_report),
    "report of alarms": in_folder("alarms.jsonl", write_report, result__json=b"{}"),
    "class of a policy": in_folder("policy_class.json", class_of),
    "base of an adapter": in_folder("adapter_base.json", read_base),
    "adapter": in_folder(ADAPTER, CausalPolicy.load),
    "format": in_folder("verse_format.json", load_format),
    "plain format": in_folder("plain_format.json", load_format),
    "index": NgramIndex.load,
    "styles": StyleModel.load,
    "themes": ThemeModel.load,
}
SLOW = {
    f"policy's {name}": policy_with(name)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors", "verse_format.json")
}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    tiny_policy().save(folder / "tiny")
    return folder


def attack(read: Callable[[Path], Any], name: str, place: Path) -> str:
    """What is wrong with how a reader takes a file; empty if nothing is."""
    folder = place / f"{abs(hash((read, name)))}"
    folder.mkdir()
    path = folder / "hostile.bin"
    path.write_bytes(FILES[name])
    began = time.process_time()
    try:
        read(path)
    except RlpoetError as error:
        text = str(error).replace(str(place), "")
        if "\n" in text:
            return f"{name}: several lines: {text[:300]!r}"
        if len(text) > LONGEST_MESSAGE:
            return f"{name}: {len(text)} characters: {text[:300]!r}"
    except BaseException as error:
        return f"{name}: {type(error).__name__}: {error!s:.200}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    took = time.process_time() - began
    return f"{name}: took {took:.0f} s" if took > MOST_SECONDS else ""


def test_there_are_a_hundred():
    assert len(FILES) >= 100


@pytest.mark.parametrize("reader", READERS)
def test_a_hostile_file_is_read_or_is_one_line(reader, place, monkeypatch):
    monkeypatch.chdir(place)
    wrong = [told for name in FILES if (told := attack(READERS[reader], name, place))]
    assert wrong == [] and not (place / "ran").exists()


@pytest.mark.slow
@pytest.mark.parametrize("reader", SLOW)
def test_a_policy_with_a_hostile_file_opens_or_is_one_line(reader, place, monkeypatch):
    monkeypatch.chdir(place)
    wrong = [told for name in FILES if (told := attack(SLOW[reader], name, place))]
    assert wrong == [] and not (place / "ran").exists()


@pytest.mark.parametrize("numbers", [{"n_steps": 3}, {"model": {}}, {}, {"model": 5, "n_steps": "x"}])
def test_a_checkpoint_of_something_else_is_read_as_the_table_it_is(numbers, tmp_path):
    torch.save(numbers, tmp_path / "checkpoint.pt")
    assert read_checkpoint(tmp_path / "checkpoint.pt") == numbers
    torch.save(json.dumps(numbers), tmp_path / "checkpoint.pt")
    with pytest.raises(RlpoetError, match="broken checkpoint"):
        read_checkpoint(tmp_path / "checkpoint.pt")
