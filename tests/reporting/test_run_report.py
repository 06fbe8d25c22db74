"""The page of a run is made from the run's own files, stands alone, and says what is missing."""

from __future__ import annotations

import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rlpoet.errors import RlpoetError
from rlpoet.reporting.poems import comparison_rows
from rlpoet.reporting.run_report import heard, write_report
from rlpoet.reporting.tracking import Tracker

BEFORE = "Le jour descend sur la colline,\nLe vent se tait dans la forêt,\nUn oiseau chante <b>au loin</b>,\nEt tout s'endort."
AFTER = "Le jour descend sur la colline,\nLe vent se tait dans la forêt,\nLa lune au ciel noir se dessine,\nEt tout le village se tait."


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "fr-<demo>"
    prompt = {"lang": "fr", "form": "quatrain-abab-8", "author": "Hugo & fils"}
    with Tracker(folder, report_to="none") as tracker:
        tracker.config({"lang": "fr", "seed": 1, "weights": {"rhyme": 1.0}})
        tracker.samples(0, [{"phase": "before", "prompt": prompt, "text": BEFORE, "scores": {"rhyme": 0.0}}])
        for step in range(1, 301):
            tracker.scalars(step, {"rewards/rhyme/mean": step / 300, "gfn/loss": 1000.0 / step, **{f"other/{i}": 1.0 for i in range(6)}})
        tracker.samples(150, [{"phase": "step", "prompt": prompt, "text": AFTER, "scores": {"rhyme": 1.0}}])
        tracker.samples(300, [{"phase": "after", "prompt": prompt, "text": AFTER, "scores": {"rhyme": 1.0}}])
        tracker.result({"before": {"rhyme_pairs": 0.04, "n": 256}, "after": {"rhyme_pairs": 0.812, "n": 256}, "seed": 1, "seconds": 600.0})
    return folder


class Balanced(HTMLParser):
    """Fails on a tag that closes nothing, and keeps what was left open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        pass


def test_the_page_has_figures_poems_curves_and_settings(run):
    path = write_report(run)
    page = path.read_text(encoding="utf-8")
    assert path == run / "report.html"
    assert "<strong>81.2 %</strong>" in page and "+77.2 points" in page and "10.0 minutes" in page
    assert page.count('<div class="poem">') == 3 and "in the manner of Hugo &amp; fils" in page
    assert page.count("<svg") == 8 and "2 more curves" in page and "gfn/loss (log scale)" in page
    assert '{"rhyme": 1.0}' in unescape(page)


def test_the_page_says_how_sure_its_figures_are(run):
    path = run / "result.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    result["before"]["lines_in_meter"], result["after"]["lines_in_meter"] = 0.9, 0.905
    result["intervals"] = {
        "rhyme_pairs": {"before": [0.02, 0.07], "after": [0.77, 0.85], "change": [0.72, 0.82]},
        "lines_in_meter": {"before": [0.87, 0.92], "after": [0.88, 0.93], "change": [-0.008, 0.019]},
    }
    path.write_text(json.dumps(result), encoding="utf-8")
    page = write_report(run).read_text(encoding="utf-8")
    rows = comparison_rows(result["before"], result["after"], result["intervals"])
    assert rows[0][3] == "+77.2 points (72.0 to 82.0)" and rows[1][3] == "no change seen (-0.8 to 1.9)"
    for _, *cells in rows:
        assert "".join(f"<td>{cell}</td>" for cell in cells) in page


def test_every_reward_has_a_row_with_its_weight_and_its_first_and_last_steps(run):
    page = write_report(run).read_text(encoding="utf-8")
    (row,) = re.findall(r'<th scope="row">rhyme</th>(.*?)</tr>', page)
    assert re.findall("<td>(.*?)</td>", row) == ["", f"{5.5 / 300:.3f}", f"{295.5 / 300:.3f}", f"{290 / 300:+.3f}"]


def test_the_page_is_well_formed_and_what_a_policy_wrote_is_never_markup(run):
    page = write_report(run).read_text(encoding="utf-8")
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert "<b>" not in page and "<demo>" not in page


def test_the_page_fetches_nothing_and_runs_nothing(run):
    page = write_report(run).read_text(encoding="utf-8")
    assert not re.search(r"https?:|<script|<link|url\(|@import", page)


def test_rhymes_of_a_sample_are_drawn(run):
    poem = heard(AFTER, "fr", form="quatrain-abab-8", scores={"rhyme": 1.0})
    assert poem.asked == "abab" and poem.found[0] == poem.found[2] != "x" and poem.tails[0].endswith("ine")


def test_an_interrupted_run_gets_what_it_has(run):
    (run / "result.json").unlink()
    (run / "config.yaml").unlink()
    page = write_report(run).read_text(encoding="utf-8")
    assert "no result yet" in page and "<h2>Curves</h2>" in page and "Configuration" not in page


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda folder: None, "no such folder"),
        (lambda folder: folder.mkdir(), "expected the folder of a run"),
        (lambda folder: (folder.mkdir(), (folder / "result.json").write_text("{", encoding="utf-8")), "not JSON"),
    ],
)
def test_what_is_no_run_is_one_clear_line(tmp_path, make, message):
    make(tmp_path / "x")
    with pytest.raises(RlpoetError, match=message):
        write_report(tmp_path / "x")
