"""Every output, with hostile words wherever a poem, an author, a title, a name or a file of somebody else's may stand.

An output is made twice, of harmless words and of hostile ones in the same places. The hostile ones may add nothing that is run, drawn or
obeyed: no tag, no attribute, no order to a terminal, no formula, no command.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet
import pytest
import yaml

from policies.finetuning import card as finetuned
from policies.finetuning.config import FinetuneConfig
from policies.pretraining import card as pretrained
from policies.pretraining.config import PretrainConfig
from rlpoet.cli.main import main
from rlpoet.corpus import Poem, write_poems
from rlpoet.evaluation.annotation import AnnotateConfig, run
from rlpoet.evaluation.annotation.tables import GIVEN
from rlpoet.evaluation.rating_sheets import Item, write_sheet
from rlpoet.evaluation.score import score_text
from rlpoet.reporting.notebook import cell
from rlpoet.reporting.poems import poem_markdown
from rlpoet.reporting.run_report import heard, write_report
from rlpoet.studio.typeset import Manuscript, typeset
from rlpoet.sweeps.config import CompareConfig
from rlpoet.sweeps.grid import Arm, plan, write_config
from rlpoet.sweeps.page import page
from rlpoet.sweeps.results import compared
from rlpoet.sweeps.run import LOG
from rlpoet.text import split_poem
from rlpoet.text.escapes import RUN

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = [
    "<script>alert(1)<%2Fscript> nuit", '"><img src=x onerror=alert(1)> bruit', "' onload='z nuit", "{{7*7}}{% raw %} bruit", "&lt;b> nuit",
    "[/b][red]x :smile: bruit", "\x1b[2J\x9b31m\x07\x08 nuit", "\u202egnp bruit", '=HYPERLINK("http:x") nuit', "@SUM(1) bruit",
    "+1|cmd nuit",
    r"\input{x}\write18{y}$^_~%# bruit", "]]><x y='1'/>&amp; nuit", "a|b`c*d_e#f[x](javascript:1) bruit", "# titre", "a\rb\x00 nuit",
]  # fmt: skip
HARMLESS = ["nuit" if i % 2 else "bruit" for i in range(len(HOSTILE))]
ORDERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Words:
    """Words for one making of an output.

    Attributes:
        lines: of a poem.
        name: for an author, a title, an error.
        file: for a file or a folder: without what a name cannot have.
    """

    def __init__(self, lines: list[str], folder: Path) -> None:
        self.lines, self.folder = lines, folder
        self.name = " ".join(lines).replace("\r", "").replace("\x00", "")
        self.file = re.sub(r"[/\x00\r\n]", "", self.name)[:80]
        self.poem = Poem((tuple(line.replace("\r", "").replace("\x00", "") for line in lines),), author=self.name, title=self.name)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def score_file(self) -> str:
        path = self.folder / f"{self.file}.txt"
        text = self.text.replace("\r", " ").replace("\x00", "")  # with it, the file is no text
        path.write_text(f"La nuit\n{text}", encoding="utf-8")  # and as it is, a page
        return str(path)

    def corpus(self) -> str:
        path = self.folder / f"{self.file}.jsonl"
        write_poems(path, [dataclasses.replace(self.poem, columns={"id": self.name, "book": self.name, "date": self.name})])
        return str(path)


# -- outputs ------------------------------------------------------------------------------------------


def run_page(words: Words) -> str:
    folder = words.folder / words.file
    folder.mkdir()
    sample = {"text": words.text, "prompt": {"author": words.name, "lang": "fr", "form": "couplet"}, "scores": {words.name: 0.5}}
    rows = {
        "metrics": [{"step": step, f"rewards/{words.file}/mean": 0.5, words.name: 1.0 + step} for step in (1, 2)],
        "samples": [
            *({"step": 0, "phase": phase, **sample} for phase in ("before", "after", "step")),
            {**sample, "prompt": {}, "step": 2, "phase": "step"},
        ],
        "alarms": [{"step": 1, "name": words.name, "seen": words.name, "advice": words.name}],
    }  # fmt: skip
    for name, own in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in own), encoding="utf-8")
    config = {"lang": words.name, "algo": words.name, "forms": [words.name], "rewards": {words.file: 1.0}, words.name: words.name}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    result = {"commit": words.name, "seed": words.name, "before": {words.name: 1.0}, "after": {words.name: 2.0}}
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    return write_report(folder).read_text(encoding="utf-8")


def comparison_page(words: Words) -> str:
    config = CompareConfig(output_dir=str(words.folder / words.file), seeds=(0,))
    (failed,) = cells = plan(config, [Arm("tb", {"algo": "tb", "policy": words.file})])
    write_config(failed)
    (failed.folder / LOG).write_text(words.text, encoding="utf-8")
    return page(compared(config, cells, {failed.name: "failed"}, [], baseline="tb", command=f"rlpoet compare {words.name}"))


def annotated(ending: str) -> Callable[[Words], str]:
    def make(words: Words) -> str:
        out = words.folder / f"verse.{ending}"
        run.annotate(AnnotateConfig((words.corpus(),), "fr", str(out), clean=False))
        if ending == "parquet":
            return "".join(json.dumps(row) for row in pyarrow.parquet.read_table(out).to_pylist())
        poems = out.with_name(f"verse.poems.{ending}")
        return out.read_text(encoding="utf-8") + (poems.read_text(encoding="utf-8") if poems.exists() else "")

    return make


def sheet(words: Words) -> str:
    path = words.folder / "sheet.csv"
    key = write_sheet([Item("p0", words.name, words.text)] + [Item(f"p{i}", line, line) for i, line in enumerate(words.lines, 1)], path)
    return path.read_text(encoding="utf-8") + key.read_text(encoding="utf-8")


def finetuned_card(words: Words) -> str:
    config = FinetuneConfig(words.file, (words.corpus(),), "o", where=(words.name,))
    result = {
        "lang": "fr", "policy": words.name, "how": f"LoRA ({words.name})", "new_authors": [words.name], "parameters_trained": 1,
        "seconds": 1, "poems": {"train": 1, "validation": 1}, "steps": 1, "epochs": 1,
        "before": {"bits_per_char": 1.0}, "after": {"bits_per_char": 1.0},
    }  # fmt: skip
    finetuned.write_card(words.folder, result, dataclasses.asdict(config))
    return (words.folder / "README.md").read_text(encoding="utf-8")


def pretrained_card(words: Words) -> str:
    config = PretrainConfig((words.corpus(),), "fr", "o", where=(words.name,))
    result = {
        "lang": "fr", "parameters": 1, "tokens_seen": 1, "epochs": 1.0, "seconds": 1, "steps": 1, "seed": 0,
        "poems": {"train": 1, "validation": 1}, "rhyme_pairs": {"couplet": 0.5},
    }  # fmt: skip
    pretrained.write_card(words.folder, result, dataclasses.asdict(config))
    return (words.folder / "README.md").read_text(encoding="utf-8")


def exported(name: str) -> Callable[[Words], str]:
    return lambda words: typeset(Manuscript(words.text, "fr", words.name, words.name), name)


def scored(words: Words):
    return score_text(words.text.replace("\r", " "), "fr")[0]


PAGES = {"run page": run_page, "comparison page": comparison_page, "notebook": lambda words: cell(scored(words))}
MARKDOWN = {
    "card, finetune": finetuned_card,
    "card, pretrain": pretrained_card,
    "export, markdown": exported("markdown"),
    "TensorBoard": lambda words: poem_markdown(scored(words)),
}
SHEETS = {"rating sheet": sheet, "annotate, csv": annotated("csv")}
TEI = {"annotate, tei": annotated("tei"), "export, tei": exported("tei")}
DATA = {"annotate, jsonl": annotated("jsonl"), "annotate, parquet": annotated("parquet"), "export, text": exported("text")}
VERBS: dict[str, Callable[[Words], list[str]]] = {
    "score": lambda words: ["score", words.score_file(), "--lang", "fr"],
    "score, json": lambda words: ["score", words.score_file(), "--lang", "fr", "--json"],
    "explain": lambda words: ["explain", *words.lines[6:9], "--lang", "fr"],
    "explain, json": lambda words: ["explain", *words.lines[7:9], words.lines[6].replace("\x9b", ""), "--lang", "fr", "--json"],
    "scan": lambda words: ["scan", *words.lines, "--lang", "fr"],
    "rhymes": lambda words: ["rhymes", *words.lines, "--lang", "fr"],
    "words": lambda words: ["words", words.lines[6], "--lang", "fr"],
    "words, json": lambda words: ["words", words.lines[6], "--lang", "fr", "--json"],
    "corpus": lambda words: ["corpus", words.corpus(), "--lang", "fr", "--no_clean"],
    "corpus, json": lambda words: ["corpus", words.corpus(), "--lang", "fr", "--no_clean", "--json"],
    "rate": lambda words: ["rate", "make", words.corpus(), "--lang", "fr", "--out", f"{words.folder}/{words.file}.csv", "--n", "1"],
    "report": lambda words: ["report", str(write_report_folder(words))],
    "no such file": lambda words: ["score", words.file, "--lang", "fr"],
    "no such language": lambda words: ["scan", "nuit", "--lang", words.name],
    "no such form": lambda words: ["generate", "--lang", "fr", "--form", words.name],
    "no such reward": lambda words: ["train", "--lang", "fr", "--rewards", json.dumps({words.name: 1})],
    "no such option": lambda words: ["train", f"--{words.name}", "1"],
    "no such value": lambda words: ["train", "--beta", words.name],
    "no such policy": lambda words: ["generate", "--policy", words.file],
    "no such run": lambda words: ["train", "--resume", words.file],
    "no such verb": lambda words: [words.name],
}  # fmt: skip


def write_report_folder(words: Words) -> Path:
    run_page(words)
    return words.folder / words.file


# -- what is looked for --------------------------------------------------------------------------------


class Live(HTMLParser):
    """What a browser would make of a page: tags with their attributes, and what styles and links hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[tuple[str, ...]] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.add((tag, *sorted(name for name, _ in attrs)))
        self.found |= {("link", value.partition(":")[0]) for name, value in attrs if name in ("href", "src") and ":" in (value or "")}

    handle_startendtag = handle_starttag


def both(make: Callable[[Words], str], tmp_path: Path) -> tuple[str, str]:
    """An output of harmless words, and of hostile ones."""
    made = []
    for name, lines in (("harmless", HARMLESS), ("hostile", HOSTILE)):
        (tmp_path / name).mkdir()
        made.append(make(Words(lines, tmp_path / name)))
    return made[0], made[1]


@pytest.mark.parametrize("output", PAGES)
def test_no_word_is_markup_in_a_page(output, tmp_path):
    harmless, hostile = both(PAGES[output], tmp_path)
    assert Live(hostile).found <= Live(harmless).found and "alert(1)" in hostile and "{{7*7}}" in hostile


@pytest.mark.parametrize("output", MARKDOWN)
def test_no_word_is_markup_in_markdown(output, tmp_path):
    harmless, hostile = both(MARKDOWN[output], tmp_path)
    loose = re.compile(r"^ {4}.*$|\\.", re.MULTILINE)  # what is code, and what is escaped
    for sign in ("<", ">", "`", "[", "](", "|", "\n#", "*", "&"):
        assert loose.sub("", hostile).count(sign) <= loose.sub("", harmless).count(sign), sign
    assert not ORDERS.search(hostile)
    head = [text.split("---\n")[1] if text.startswith("---") else "" for text in (harmless, hostile)]
    assert head[0] == head[1]  # the front matter of a card


@pytest.mark.parametrize("output", SHEETS)
def test_no_word_is_a_formula_in_a_sheet(output, tmp_path):
    _, hostile = both(SHEETS[output], tmp_path)
    names = next(csv.reader(io.StringIO(hostile)))
    for row in csv.reader(io.StringIO(hostile)):
        own = [value for name, value in zip(names, row, strict=False) if name in GIVEN] if output != "rating sheet" else row
        assert not [value for value in own if value.startswith(RUN)]
    assert "'=HYPERLINK" in hostile


@pytest.mark.parametrize("output", TEI)
def test_tei_stays_what_it_is(output, tmp_path):
    harmless, hostile = (ET.fromstring(text) for text in both(TEI[output], tmp_path))
    shapes = [
        {(one.tag, *sorted(set(one.attrib) - {"rhyme", "met", "real", "subtype"})) for one in root.iter()} for root in (harmless, hostile)
    ]
    assert shapes[0] == shapes[1]
    assert not ORDERS.search("".join(hostile.itertext()).replace("\u202e", ""))  # the reader of TEI is no terminal


def test_no_word_is_a_command_in_latex(tmp_path):
    harmless, hostile = both(exported("latex"), tmp_path)
    found = [set(re.findall(r"\\([a-zA-Z]+|.)", text)) for text in (harmless, hostile)]
    assert found[1] - found[0] <= {"textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar",
                                   "textquotedbl", *"{}$&#%_,"}  # fmt: skip
    assert hostile.count("\\end{") == harmless.count("\\end{") and "\\textbackslash{}input\\{x\\}" in hostile and not ORDERS.search(hostile)
    assert not re.search(r"(?<!\\)(?:\\\\)*%", hostile)


@pytest.mark.parametrize("output", DATA)
def test_data_are_whole_and_give_no_orders(output, tmp_path):
    _, hostile = both(DATA[output], tmp_path)
    assert not ORDERS.search(hostile) and "=HYPERLINK" in hostile


@pytest.mark.parametrize("output", VERBS)
def test_no_verb_gives_a_terminal_orders(output, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, lines in (("harmless", HARMLESS), ("hostile", HOSTILE)):
        (tmp_path / name).mkdir()
        code = main(VERBS[output](Words(lines, tmp_path / name)))
        told = capsys.readouterr()
        assert code in ((2,) if output.startswith("no such") else (0, 1, 2))
        assert not ORDERS.search(told.out + told.err) and "Traceback" not in told.err
        if code == 2:
            assert told.err.count("\n") == 1 and len(told.err) < 3000, told.err
        if "json" in output:
            assert code == 0 and all(json.loads(row) for row in told.out.splitlines())


def test_what_is_written_to_a_terminal_goes_through_one_room():
    """``write_plain``, ``write_row`` and the consoles; and those who write words of their own alone."""
    own = {"terminal.py", "jsonl.py", "words.py", "generate.py", "completion.py"}
    found = {
        path.name
        for room in ("rlpoet", "rewards", "policies")
        for path in (ROOT / room).rglob("*.py")
        if re.search(r"sys\.(?:stdout|stderr)\.write", path.read_text(encoding="utf-8"))
    }
    assert found <= own


@pytest.mark.parametrize("text", ["# titre\nla nuit", "# titre", "la nuit\n# sonnet\n# a", "a\rb", "#\n# "])
def test_what_a_policy_writes_has_no_headings(text):
    assert list(heard(text, "fr", form="couplet").lines) == split_poem(text)
