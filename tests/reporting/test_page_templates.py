"""Whatever a poem, an author, a path or a reward is called, a page shows it as text."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from rlpoet.evaluation.form import PoemFacts
from rlpoet.evaluation.score import score_text
from rlpoet.prosody.explain import explain, explain_rhyme
from rlpoet.reporting.charts import line_chart
from rlpoet.reporting.notebook import cell
from rlpoet.reporting.pages import environment, render
from rlpoet.reporting.poems import SideBySide, comparison_html, poem_html
from rlpoet.reporting.run_report import write_report
from rlpoet.reporting.tracking import Tracker
from rlpoet.sweeps.config import CompareConfig
from rlpoet.sweeps.figures import PAIRS, Judged, Trained
from rlpoet.sweeps.grid import Arm, plan
from rlpoet.sweeps.page import page
from rlpoet.sweeps.results import compared
from rlpoet.types import Prompt

EVIL = """<script>alert("x" + 'y') & <b onload='z'>"""
TAGS = set(
    "html head meta title style body h1 h2 h3 p div span b strong em small code pre a ul ol li table thead tbody tr th td details summary "
    "figure figcaption svg defs g path use text tspan clippath rect".split()
)


class Shown(HTMLParser):
    """What a browser makes of a page: tags, attributes by name, and all it shows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, set[str | None]] = {}
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value)

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)


def shown(text: str) -> Shown:
    """The page, which has no tag and no attribute but those of the templates."""
    found = Shown(text)
    assert found.tags <= TAGS and not any(name.startswith("on") for name in found.attributes)
    assert "<script" not in text and "<b onload" not in text
    return found


def poem():
    (found,) = score_text("Le jour descend\nvers l'ombre", "fr", "couplet")
    tail = "<script>\"'"
    return dataclasses.replace(
        found,
        lines=(f"{EVIL} {tail}", "l'ombre"),
        tails=(tail, "ombre"),
        lang=f'"{EVIL}',
        form=EVIL,
        scores={EVIL: 1.0},
        reasons=((EVIL,), ()),
    )


@pytest.mark.parametrize("reasons", [True, False])
def test_a_poem_is_text(reasons):
    found = shown(poem_html(poem(), reasons=reasons))
    assert found.text.count(EVIL) == 3 + reasons and f'"{EVIL}' in found.attributes["lang"]


def test_figures_and_charts_are_text():
    assert EVIL in shown(comparison_html({EVIL: 1.0}, {EVIL: 2.0})).text
    chart = shown(line_chart(EVIL, [(1, 1.0), (2, 2.0)]))
    assert EVIL in chart.text and {f"{EVIL}: 1 at first, 2 at last"} == chart.attributes["aria-label"]


@pytest.mark.parametrize(
    "what", [poem(), SideBySide([poem()], [poem()], (EVIL, "after")), explain(EVIL, "fr"), explain_rhyme(EVIL, "ombre", "fr")]
)
def test_a_cell_of_a_notebook_is_text(what):
    assert "alert" in shown(cell(what)).text


def test_the_page_of_a_run_is_text(tmp_path):
    name = EVIL.replace("/", "")
    prompt = {"lang": "fr", "form": "couplet", "author": EVIL}
    with Tracker(tmp_path / name, report_to="none") as tracker:
        tracker.config({"lang": "fr", "algo": EVIL, "forms": [EVIL], "rewards": {EVIL: 1.0}, EVIL: EVIL})
        for phase in ("before", "step", "after"):
            tracker.samples(0, [{"phase": phase, "prompt": prompt, "text": f"{EVIL}\n{EVIL}", "scores": {EVIL: 1.0}}])
            tracker.samples(0, [{"phase": phase, "prompt": {"author": EVIL}, "text": EVIL}])
        for step in (1, 2):
            tracker.scalars(step, {f"rewards/{EVIL}/mean": step / 2, "reward/mean": 0.5, **{f"{EVIL}{i}": 1.0 for i in range(8)}})
        tracker.alarm(1, {"name": EVIL, "seen": EVIL, "advice": f"Lower --beta. {EVIL}"})
        tracker.result({"before": {"rhyme_pairs": 0.1, EVIL: 1.0}, "after": {"rhyme_pairs": 0.2}, "seed": 0, "commit": EVIL})
    found = shown(write_report(tmp_path / name).read_text(encoding="utf-8"))
    assert name in found.texts and f"rlpoet: {name}" in found.texts  # the path
    assert f"before · in the manner of {EVIL}" in found.texts and f"step 0 · in the manner of {EVIL}" in found.texts  # the author
    assert found.text.count(f"{EVIL} 1.00") == 3  # the reward
    assert found.texts.count(EVIL) >= 8 and f'"{EVIL}"'.replace('"x"', '\\"x\\"') in found.text
    assert {"--beta"} <= set(found.texts) and any(EVIL in str(label) for label in found.attributes["aria-label"])


def test_the_page_of_a_comparison_is_text(tmp_path):
    config = CompareConfig(output_dir=str(tmp_path / EVIL.replace("/", "")), langs=("fr",), seeds=(0, 1))
    cells = [
        dataclasses.replace(one, arm=EVIL, config=dataclasses.replace(one.config, policy=EVIL)) if one.arm == "evil" else one
        for one in plan(config, (Arm("tb", {}), Arm("evil", {})))
    ]
    cells[-1].folder.mkdir(parents=True)
    (cells[-1].folder / "train.log").write_text(EVIL, encoding="utf-8")
    judged = Judged(Prompt("fr", "couplet", EVIL), f"{EVIL}\n{EVIL}", PoemFacts(1, 0, 2, 0, ()))
    curves = {PAIRS: [(1.0, 0.5), (2.0, 0.6)]}
    trained = [
        Trained(one, {"rhyme_pairs": 0.5, "kl": 1.0 + n}, {}, curves, [judged], EVIL, EVIL, [EVIL], "") for n, one in enumerate(cells[:-1])
    ]
    states = {one.name: "done" for one in cells[:-1]} | {cells[-1].name: "failed"}
    made = compared(config, cells, states, trained, baseline="tb", command=f"rlpoet compare {EVIL}")
    found = shown(page(dataclasses.replace(made, warnings=[EVIL])))
    assert f"rlpoet compare: {EVIL.replace('/', '')}" in found.texts and f"rlpoet compare {EVIL}" in found.texts  # the path, the command
    assert f"{EVIL} · seed 0 · in the manner of {EVIL}" in found.texts  # arm and author
    assert f"{EVIL}/fr-s1 failed" in found.texts and found.texts.count(EVIL) >= 10
    assert any(f"{EVIL} from 0.55" in str(label) for label in found.attributes["aria-label"])
    assert all(link and not set("<>\"' ") & set(link) for link in found.attributes["href"])


def test_a_value_that_a_template_lacks_is_an_error_and_a_page_within_a_page_is_escaped_once():
    with pytest.raises(UndefinedError, match="rows"):
        render("change.html", note="")
    inner = render("change.html", rows=[("<b>", "1")], note="")
    assert render("notebook_pairs.html", hues=(), pairs=[[("x", inner)]]).count("&lt;b&gt;") == 1


def test_every_template_can_be_read():
    names = environment().list_templates()
    assert {"run.html", "comparison.html", "poem.html", "page.css"} <= set(names)
    for name in names:
        environment().get_template(name)
    assert all(len(Path(environment().get_template(name).filename).read_text(encoding="utf-8").splitlines()) < 100 for name in names)
