"""README and docs: generated pages are current, links lead somewhere, sentences are short, commands and examples work."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest
import yaml

from experiments.release import cli_page, forms_page
from rlpoet.cli.main import CORE, find_command
from rlpoet.config.parser import parse

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [README, *DOCS]
EXAMPLES = [README, ROOT / "docs" / "quickstart.md"]
MAX_WORDS, MAX_LINES, MAX_WIDTH = 40, 90, 140  # words of a sentence, lines and characters of the README
CODE = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def sentences(text: str) -> list[str]:
    """Sentences of a page, without tables and code."""
    kept = "\n".join(line for line in CODE.sub("", text).splitlines() if not line.startswith(("|", "    ", ":::", "<!--")))
    kept = re.sub(r"`[^`]*`", "CODE", LINK.sub("]", kept))
    parts = re.split(r"\n\s*\n|\n#+ |\n\s*- |\n\s*\d\. |\n\*\*", kept)
    return [sentence for part in parts for sentence in re.split(r"(?<=[.?!:;])\s", part)]


def anchors(path: Path) -> set[str]:
    """Names of the headings of a page, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.*)$", CODE.sub("", path.read_text(encoding="utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


def commands(path: Path) -> list[list[str]]:
    """Words of each line of shell code that calls rlpoet, without ``rlpoet``."""
    text = path.read_text(encoding="utf-8")
    lines = [line.strip().removeprefix(".venv/bin/") for line in text.splitlines() if line.startswith("    ")]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("rlpoet ")]


def test_the_page_of_the_command_line_is_current():
    assert cli_page.PAGE.read_text(encoding="utf-8") == cli_page.page(), "run: make docs"


def test_the_page_of_forms_is_current():
    assert forms_page.PAGE.read_text(encoding="utf-8") == forms_page.page(), "run: make docs"


@pytest.mark.parametrize("module", [cli_page, forms_page])
def test_examples_of_the_generators(module):
    assert doctest.testmod(module).failed == 0


def test_every_verb_is_on_the_page_of_the_command_line():
    assert set(CORE) <= anchors(cli_page.PAGE)


def test_the_site_has_every_page():
    def files(entries):
        return [file for entry in entries for file in ([entry] if isinstance(entry, str) else files(*entry.values()))]

    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(files(site["nav"])) == [path.name for path in DOCS]
    assert [file for file in site["extra_css"] if not (ROOT / "docs" / file).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_every_relative_link_leads_somewhere(path):
    broken = []
    for link in LINK.findall(CODE.sub("", path.read_text(encoding="utf-8"))):
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not link.startswith(("http:", "https:")) and not (target.exists() and (not anchor or anchor in anchors(target))):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("path", DOCS, ids=name)
def test_links_of_the_site_stay_within_it(path):
    assert [link for link in LINK.findall(CODE.sub("", path.read_text(encoding="utf-8"))) if link.startswith("..")] == []


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_sentences_are_short(path):
    assert [sentence for sentence in sentences(path.read_text(encoding="utf-8")) if len(sentence.split()) > MAX_WORDS] == []


def test_the_readme_is_one_screen():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MAX_LINES
    assert [line for line in lines if len(line) > MAX_WIDTH and not line.startswith("|") and "http" not in line] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
def test_every_command_can_be_parsed(path):
    found = commands(path)
    assert len(found) > 5
    for verb, *words in found:
        parse(find_command(verb), words)


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
def test_every_doctest_holds(path):
    text = re.sub(r"^```.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    examples = doctest.DocTestParser().get_doctest(text, {}, path.name, str(path), 0)
    assert examples.examples
    assert doctest.DocTestRunner().run(examples).failed == 0


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
def test_every_block_of_python_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for language, code in CODE.findall(path.read_text(encoding="utf-8")):
        if language == "python":
            exec(compile(code, str(path), "exec"), {})
