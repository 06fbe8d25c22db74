"""What the documents promise beside the code: every tag defined, one version everywhere, sentences that can be read."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

import rlpoet

ROOT = Path(__file__).resolve().parents[2]
GROUPS = "reward|rewards|gfn|ppo|trl|rft|best|objective|train|samples|replay|aux|explore|time|eval|final"
TAG = re.compile(rf"(?:{GROUPS})/[a-z_]+(?:/[a-z_]+)*")
RENAMED = {"ppo/grad_norm", "rewards/rhyme/mean", "rewards/meter/mean"}  # logged as train/grad_norm and rewards/NAME/mean


def tags_in_code() -> set[str]:
    """Texts of the packages that look like a tag."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for room in ("rlpoet", "policies") for path in (ROOT / room).rglob("*.py"))
    texts = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {text for text in texts if TAG.fullmatch(text)} - RENAMED


def test_every_tag_of_the_code_is_defined():
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    found = tags_in_code()
    assert len(found) > 40
    assert sorted(tag for tag in found if f"`{tag}`" not in text) == []


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    versions = re.findall(
        r"^## \[(\d[\d.]*)\] - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert (citation["version"], citation["date-released"]) == versions[0]
    assert citation["version"] == rlpoet.__version__


@pytest.mark.parametrize("name", ["CHANGELOG.md", "CONTRIBUTING.md", "AGENTS.md", "docs/metrics.md", "experiments/LOG.md"])
def test_no_sentence_is_longer_than_forty_words(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    kept = "\n".join(line for line in text.splitlines() if not line.startswith(("|", "    ")))
    parts = re.split(r"\n\s*\n|\n#+ |\n\s*- |\n\d\. ", kept)
    assert [s for part in parts for s in re.split(r"(?<=[.?!:;])\s", part) if len(s.split()) > 40] == []
