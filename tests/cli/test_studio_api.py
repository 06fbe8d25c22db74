"""The studio's endpoints: what the pad shows, what is refused, and what never leaves the machine."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

pytest.importorskip("starlette", reason="needs the extra studio")
pytest.importorskip("httpx2", reason="starlette's test client needs it")

from starlette.testclient import TestClient

from policies.generation.author_names import author_names
from rlpoet.corpus.tei import tei_poems
from rlpoet.evaluation.score import score_text
from rlpoet.prosody.explain import explain
from rlpoet.prosody.forms import forms, unwritable
from rlpoet.prosody.fr.verse import FrenchVerse
from rlpoet.reporting.explanations import line_facts
from rlpoet.studio import server
from rlpoet.studio.requests import LONGEST, MOST_BYTES, MOST_CHARACTERS, MOST_LINES
from rlpoet.studio.server import Studio

QUATRAIN = """Heureux qui, comme Ulysse, a fait un beau voyage,
Ou comme celui-là qui conquit la toison,

Et puis est retourné, plein d'usage et raison,
Vivre entre ses parents le reste de son âge !"""
EVIL = "<img src=x onerror=alert(1)> l'amour"


class Echo:
    """A composer that says what it was asked, one word at a time, until it is stopped."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.ended = threading.Event()

    def compose(self, asked: Any, put: Any, stop: threading.Event) -> None:
        self.ended.clear()
        for n in range(asked.n):
            put({"type": "line", "text": f"{asked.theme} {n}"})
            if asked.theme == "wait":
                self.gate.set()
                assert stop.wait(20)
                break
            if asked.theme == "crash":
                raise ValueError("a bug")
        self.ended.set()

    def complete(self, asked: Any, put: Any, stop: threading.Event) -> None:
        put({"type": "proposal", "line": f"line {asked.line}", "about": asked.begin})


@pytest.fixture(scope="module")
def echo() -> Echo:
    return Echo()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    run = folder / "first"
    run.mkdir()
    rows = [{"step": n, "loss": 10.0**-n, "reward/mean": n / 10, "rewards/rhyme/mean": n / 20} for n in range(40)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    prompt = {"lang": "fr", "form": "couplet", "author": "<b>Hugo</b>"}
    samples = [{"phase": phase, "step": 0, "prompt": prompt, "text": f"{EVIL}\n{EVIL} d'un jour"} for phase in ("before", "after")]
    (run / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in samples), encoding="utf-8")
    result = {"seed": 3, "before": {"rhyme_pairs": 0.5, "n": 8}, "after": {"rhyme_pairs": 0.75, "n": 8}, "alarms": []}
    (run / "result.json").write_text(json.dumps(result), encoding="utf-8")
    (run / "config.yaml").write_text("lang: fr\nrewards: {rhyme: 1.5}\n", encoding="utf-8")
    (folder / "no-run").mkdir()
    (folder / "secret.txt").write_text("secret", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def client(echo: Echo, runs: Path) -> TestClient:
    return TestClient(Studio(lambda: echo, runs=runs).app(port=8017), base_url="http://127.0.0.1:8017", raise_server_exceptions=False)


def ask(client: TestClient, path: str, **body: Any) -> Any:
    answer = client.post(path, json={"lang": "fr", **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def error(client: TestClient, status: int, path: str, body: dict[str, Any]) -> str:
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    line: str = answer.json()["error"]
    assert "\n" not in line
    return line


# -- the pad ----------------------------------------------------------------------------------------------


def test_the_pad_hears_what_score_hears(client: TestClient):
    told = ask(client, "/api/analyse", text=QUATRAIN)
    (poem,) = score_text(QUATRAIN, "fr")
    rows = [row for row in told["rows"] if row]
    assert [n for n, row in enumerate(told["rows"]) if row is None] == [2]
    assert "".join(row["letter"] for row in rows) == poem.found == "abba"
    assert [row["count"] for row in rows] == ["12"] * 4 and [row["caesura"] for row in rows] == ["6+6"] * 4
    assert [row["head"] + row["tail"] + row["rest"] for row in rows] == list(poem.lines)
    assert [row["tail"] for row in rows] == list(poem.tails)
    assert ["".join(below for _, below in row["syllables"]).count("‖") for row in rows] == [1] * 4
    assert "rhymes with line 4" in " ".join(rows[0]["reasons"])
    assert told["poems"][0]["form"] == poem.form


@pytest.mark.parametrize(
    ("form", "count", "fits"),
    [("couplet", "8≠12", False), ("couplet-8", "8", True), ("aa/8", "8", True), ("", "8", True)],
)
def test_a_line_is_held_against_the_form_that_was_asked_for(client: TestClient, form: str, count: str, fits: bool):
    told = ask(client, "/api/analyse", text="Le soir descend sur la montagne\nLe vent murmure en la campagne", form=form)
    assert (told["rows"][0]["count"], told["rows"][0]["in_meter"]) == (count, fits)


@pytest.mark.parametrize("text", ["", "\n\n", "# a heading", "# a heading\n\n   \n"])
def test_a_text_without_verse_has_nothing_to_show(client: TestClient, text: str):
    told = ask(client, "/api/analyse", text=text)
    assert told == {"rows": [None] * len(text.split("\n")), "poems": []}


@pytest.mark.parametrize(
    "text", ["\n\n  ombre\nsombre  \n\n\nnombre", "# one\n\nombre\nsombre\n# two\nnombre", "ombre\r\nsombre", "ombre\rnombre"]
)
def test_every_row_stands_at_its_line(client: TestClient, text: str):
    typed = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    rows = ask(client, "/api/analyse", text=text)["rows"]
    shown = [row and row["head"] + row["tail"] + row["rest"] for row in rows]
    assert shown == [line.rstrip() if line.strip() and not line.startswith("# ") else None for line in typed]


def test_each_poem_under_a_heading_has_letters_of_its_own(client: TestClient):
    told = ask(client, "/api/analyse", text="# one\nombre\nsombre\n# two\namour\njour", form="couplet")
    assert [row and row["poem"] for row in told["rows"]] == [None, 0, 0, None, 1, 1] and len(told["poems"]) == 2


def test_a_line_in_full_says_what_explain_says(client: TestClient):
    line = "La diligence passe et le lion rugit"
    told = ask(client, "/api/line", line=line, lengths=[12])
    assert told["facts"] == [list(row) for row in line_facts(explain(line, "fr", target=12))]
    assert told["words"][1][0] == "La" and told["words"][0][0] == "word"
    assert "target" not in dict(ask(client, "/api/line", line="Oui", lengths=[12])["facts"])  # no reading has that length


def test_lines_that_did_not_change_are_not_analysed_again(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    long = "\n".join(f"{line} {n}" for n in range(20) for line in QUATRAIN.split("\n") if line)
    ask(client, "/api/analyse", text=long)
    heard: list[str] = []
    real = FrenchVerse.scan
    monkeypatch.setattr(FrenchVerse, "scan", lambda self, line, target=None: heard.append(line) or real(self, line, target))
    ask(client, "/api/analyse", text=f"Un vers de plus\n{long}")
    assert set(heard) <= {"Un vers de plus"}


# -- options, runs, copies ---------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["fr", "es", "en"])
def test_the_options_have_every_form_of_a_language(client: TestClient, lang: str):
    told = client.get(f"/api/options?lang={lang}").json()
    assert {one["name"] for one in told["forms"]} == {one.name for one in forms(lang)} and told["lang"] == lang
    assert [one["code"] for one in told["languages"]][:3] == ["fr", "es", "en"]
    assert [one["name"] for one in told["forms"] if one["writable"]] == [one.name for one in forms(lang) if not unwritable(one)]


@pytest.mark.parametrize(
    ("lang", "name", "lengths"),
    [
        ("fr", "sonnet", "12 syllables"),
        ("en", "couplet", "10 or 11 syllables"),
        ("es", "lira", "7 and 11 syllables"),
        ("en", "limerick", "8 to 10 and 5 to 7 syllables"),
        ("en", "clerihew", ""),
    ],
)
def test_a_form_says_its_lengths(client: TestClient, lang: str, name: str, lengths: str):
    told = client.get(f"/api/options?lang={lang}").json()
    assert [one["lengths"] for one in told["forms"] if one["name"] == name] == [lengths]


DECASYLLABLES = (
    "La nuit descend sur la colline sombre,\nEt je marche tout seul au bord de l'eau ;\nLe vieux moulin s'efface dans son ombre,\n"
)


@pytest.mark.parametrize(
    ("last", "count"),
    [
        ("Un merle chante encore au bord du ruisseau.", "11≠10"),
        ("Un merle chante au bord du ruisseau.", "9≠10"),
        ("Un merle chante encor sur un roseau.", "10"),
        ("Un merle au bord de l'eau.", "6"),  # a short last line is meant
    ],
)
def test_a_line_a_little_too_long_among_lines_of_one_length_is_marked_and_costs_nothing(client: TestClient, last: str, count: str):
    told = ask(client, "/api/analyse", text=DECASYLLABLES + last)
    assert [row["count"] for row in told["rows"]] == ["10", "10", "10", count]
    assert [row["in_meter"] for row in told["rows"]] == [True, True, True, "≠" not in count]
    assert "meter 1.00" in told["poems"][0]["about"]
    assert ("mostly 10 syllables" in told["poems"][0]["about"]) == (count != "10")
    held = ask(client, "/api/analyse", text=DECASYLLABLES + last, form="abab/10 10 10 -")
    assert held["rows"][-1]["count"] == count.partition("≠")[0]  # a form that was chosen says itself what is free


def test_a_run_is_shown_with_its_figures_curves_and_poems(client: TestClient, runs: Path):
    assert client.get("/api/runs").json() == {"folder": str(runs), "runs": ["first"]}
    run = client.get("/api/runs/first").json()
    assert run["shares"] == ["50.0 %", "75.0 %"] and run["change"][0][:3] == ["pairs that rhyme", "50.0 %", "75.0 %"]
    assert [curve["name"] for curve in run["curves"]] == ["rewards/rhyme/mean", "reward/mean", "loss"]
    loss = run["curves"][-1]
    assert loss["log"] and loss["values"][0] == 1.0 and len(loss["values"]) == len(loss["steps"]) == len(loss["smooth"]) == 40
    ((before, after),) = run["pairs"]
    assert before["text"].split("\n")[0] == EVIL and before["author"] == "<b>Hugo</b>"  # data, which the page shows as text
    assert [row["letter"] for row in after["rows"]] == ["a", "a"] or len(after["rows"]) == 2
    assert run["rewards"][0][:2] == ["rhyme", "1.5"]


@pytest.mark.parametrize("name", ["none", "no-run", "..", "%2e%2e", "..%2f..%2fetc", "secret.txt", "%2fetc%2fpasswd"])
def test_only_runs_of_the_folder_are_shown(client: TestClient, name: str):
    answer = client.get(f"/api/runs/{name}")
    assert answer.status_code in (400, 404) and "secret" not in answer.text.replace("secret.txt", "")


def test_a_run_that_goes_on_is_read_again(client: TestClient, runs: Path):
    import os

    run = runs / "second"
    run.mkdir()
    log = run / "metrics.jsonl"
    log.write_text('{"step": 1, "loss": 1.0}\n', encoding="utf-8")
    assert len(client.get("/api/runs/second").json()["curves"][0]["values"]) == 1
    log.write_text('{"step": 1, "loss": 1.0}\n{"step": 2, "loss": 0.5}\n', encoding="utf-8")
    os.utime(log, (time.time() + 5, time.time() + 5))
    assert client.get("/api/runs/second").json()["curves"][0]["values"] == [1.0, 0.5]
    assert client.get("/api/runs").json()["runs"] == ["second", "first"]
    for path in (log, run):
        path.unlink() if path.is_file() else path.rmdir()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("text", "A & B\n\nO_ne\n\ntwo\n"), ("markdown", "## A \\& B\n\nO\\_ne\n\ntwo\n")],
)
def test_a_poem_is_copied_in_a_format(client: TestClient, name: str, expected: str):
    assert ask(client, "/api/export", text="O_ne\n\n\ntwo", format=name, title="A & B")["text"] == expected


def test_latex_is_for_the_package_verse(client: TestClient):
    told = ask(client, "/api/export", text="À 100 %\n*bis*\n\n[fin]", format="latex", title="A & B", author="N_n")
    assert told["suffix"] == "tex"
    assert "\\begin{verse}[\\versewidth]\nÀ 100 \\%\\\\\n{}*bis*\\\\!\n\n{}[fin]\\\\!\n\\end{verse}" in told["text"]
    assert "\\poemtitle{A \\& B}" in told["text"] and "\\attrib{N\\_n}" in told["text"] and "[french]{babel}" in told["text"]


def test_tei_has_the_rhymes_and_the_meter_of_annotate_and_is_read_back(client: TestClient):
    told = ask(client, "/api/export", text=QUATRAIN, format="tei", title="A & <B>", author="du Bellay")
    (poem,) = tei_poems([told["text"].encode()], "studio")
    assert ["\n".join(stanza) for stanza in poem.stanzas] == QUATRAIN.split("\n\n")
    assert told["text"].count(' rhyme="ab"') == told["text"].count(' rhyme="ba"') == 1 and told["text"].count(' real="6+6"') == 4
    assert "<head>A &amp; &lt;B&gt;</head>" in told["text"] and told["suffix"] == "xml"


@pytest.mark.parametrize(("title", "author"), [("A & <B>", "du Bellay"), ("", "")])
def test_the_header_of_tei_is_that_of_a_poem_of_ones_own(client: TestClient, title: str, author: str):
    told = ask(client, "/api/export", text=QUATRAIN, format="tei", title=title, author=author)
    root = ElementTree.fromstring(told["text"])
    names = {"t": "http://www.tei-c.org/ns/1.0"}
    statement = root.find("t:teiHeader/t:fileDesc/t:titleStmt", names)
    assert statement is not None
    told_names = [(part.tag.rpartition("}")[2], part.text) for part in statement]
    assert told_names == [("title", title or "Untitled"), *([("author", author)] if author else [])]
    source = root.findtext("t:teiHeader/t:fileDesc/t:sourceDesc/t:p", "", names)
    assert "attribute n" not in source and "All annotations are computed." in source


# -- composing ---------------------------------------------------------------------------------------------


def events(answer: Any) -> list[dict[str, Any]]:
    return [json.loads(row) for row in answer.text.splitlines()]


def test_composing_is_told_as_it_happens(client: TestClient):
    answer = client.post("/api/compose", json={"lang": "fr", "theme": "sea", "n": 2})
    told = [event for event in events(answer) if event["type"] != "status"]
    assert told == [{"type": "line", "text": "sea 0"}, {"type": "line", "text": "sea 1"}, {"type": "done", "stopped": False}]
    assert answer.headers["content-type"] == "application/x-ndjson"
    told = events(client.post("/api/complete", json={"lang": "fr", "text": "a\nb", "line": 1, "begin": "b"}))
    assert {"type": "proposal", "line": "line 1", "about": "b"} in told


@pytest.mark.parametrize("lang", ["fr", "es", "en"])
def test_the_authors_are_those_of_the_policy_that_composes(client: TestClient, lang: str):
    assert client.get(f"/api/authors?lang={lang}").json() == {"authors": list(author_names(f"{lang}-tb"))}


def test_one_composing_at_a_time_and_it_can_be_stopped(echo: Echo, runs: Path):
    client = TestClient(Studio(lambda: echo, runs=runs).app(port=8017), base_url="http://127.0.0.1:8017")
    echo.gate.clear()
    done: list[Any] = []
    first = threading.Thread(target=lambda: done.append(client.post("/api/compose", json={"lang": "fr", "theme": "wait"})))
    first.start()
    assert echo.gate.wait(20)
    assert "composing already" in error(client, 409, "/api/compose", {"lang": "fr"})
    assert client.post("/api/stop", json={}).json() == {"stopped": True}
    first.join(20)
    assert events(done[0])[-1] == {"type": "done", "stopped": True}
    assert client.post("/api/compose", json={"lang": "fr", "theme": "again"}).status_code == 200


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_composing_is_told_and_ends_it(client: TestClient):
    told = events(client.post("/api/compose", json={"lang": "fr", "theme": "crash"}))
    assert told[-1]["type"] == "error" and "a bug" not in told[-1]["text"]
    assert events(client.post("/api/compose", json={"lang": "fr", "theme": "again"}))[-1]["type"] == "done"
    for thread in threading.enumerate():
        if thread.name == "studio-composer":
            thread.join(20)  # its exception is told when it ends, and belongs to this test


# -- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Host": "evil.example:8017"}, {"Host": "127.0.0.1.evil.example:8017"}, {"Host": "127.0.0.1:9"},
     {"Host": "127.0.0.1"},
     {"Host": ""}, {"Host": "[::1].evil:8017"}, {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:9"},
     {"Origin": "https://127.0.0.1:8017"}],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/api/options", "/static/studio.js", "/api/runs"])
def test_other_hosts_and_other_pages_are_refused(client: TestClient, headers: dict[str, str], path: str):
    answer = client.get(path, headers=headers)
    assert answer.status_code == 403 and "expected" in answer.json()["error"]


@pytest.mark.parametrize("host", ["127.0.0.1:8017", "localhost:8017", "[::1]:8017"])
def test_this_machine_is_answered_by_each_of_its_names(client: TestClient, host: str):
    assert client.get("/", headers={"Host": host, "Origin": f"http://{host}"}).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_form_of_another_page_cannot_ask(client: TestClient, kind: str):
    answer = client.post("/api/analyse", content=b'{"lang": "fr", "text": "a"}', headers={"Content-Type": kind})
    assert answer.status_code == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_refused(client: TestClient, method: str):
    assert client.request(method, "/api/analyse").status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/api/analyse", {"lang": "fr"}, "text"),
        ("/api/analyse", {"lang": "fr", "text": "a\n" * MOST_LINES}, "text"),
        ("/api/analyse", {"lang": "fr", "text": "a" * (LONGEST + 1)}, "text"),
        ("/api/analyse", {"lang": "fr", "text": "a\n" * MOST_CHARACTERS}, "text"),
        ("/api/analyse", {"lang": "fr", "text": 3}, "text"),
        ("/api/analyse", {"lang": "fr", "text": "a", "file": "/etc/passwd"}, "file"),
        ("/api/analyse", {"lang": ["fr"], "text": "a"}, "lang"),
        ("/api/line", {"lang": "fr", "line": "a\nb"}, "line"),
        ("/api/line", {"lang": "fr", "line": "a", "lengths": [0]}, "lengths"),
        ("/api/line", {"lang": "fr", "line": "a", "lengths": [12] * 50}, "lengths"),
        ("/api/complete", {"lang": "fr", "text": "a", "line": -1}, "line"),
        ("/api/compose", {"lang": "fr", "n": 9}, "n"),
        ("/api/compose", {"lang": "fr", "temperature": 0}, "temperature"),
        ("/api/compose", {"lang": "fr", "authors": [{"name": "x", "weight": 0}]}, "weight"),
        ("/api/compose", {"lang": "fr", "authors": [{"name": "x"}] * 5}, "authors"),
        ("/api/compose", {"lang": "fr", "theme": "a" * 201}, "theme"),
        ("/api/words", {"lang": "fr", "word": "a", "syllables": 99}, "syllables"),
    ],
)  # fmt: skip
def test_what_is_too_much_or_wrong_is_named(client: TestClient, path: str, body: dict[str, Any], where: str):
    assert where in error(client, 422, path, body)


def test_a_body_that_is_too_large_is_not_read(client: TestClient):
    assert "bytes" in error(client, 413, "/api/analyse", {"lang": "fr", "text": "a" * MOST_BYTES})


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 10_000])
def test_a_body_that_is_not_the_json_of_the_page_is_named(client: TestClient, body: bytes):
    answer = client.post("/api/analyse", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422 and answer.json()["error"]


@pytest.mark.parametrize("lang", ["xx", "", "/etc", "../../experiments/languages/it", "experiments/languages/it"])
def test_only_installed_languages_are_asked_for_and_no_folder(client: TestClient, lang: str):
    assert "language" in error(client, 400, "/api/analyse", {"lang": lang, "text": "amor"})
    assert client.get("/api/options", params={"lang": lang}).status_code == 400


@pytest.mark.parametrize("path", ["/api/analyse", "/api/compose", "/api/complete"])
def test_an_unknown_form_is_named_before_anything_is_done(client: TestClient, path: str):
    body = (
        {"lang": "fr", "form": "sonet"}
        | ({"text": "a"} if path != "/api/compose" else {})
        | ({"line": 0} if path == "/api/complete" else {})
    )
    assert "sonet" in error(client, 400, path, body)
    assert "format" in error(client, 400, "/api/export", {"lang": "fr", "text": "a", "format": "docx"})


# -- what the page may do ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/static/studio.js", "/api/options", "/api/none", "/static/../server.py"])
def test_every_answer_forbids_scripts_and_sources_of_others(client: TestClient, path: str):
    headers = client.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert headers["x-content-type-options"] == "nosniff" and "access-control-allow-origin" not in headers


def test_the_page_needs_nothing_from_elsewhere_and_makes_no_markup_of_texts():
    for path in server.STATIC.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text and "https:" not in text and "//cdn" not in text, path
        for risky in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "style="):
            assert risky not in text, (path, risky)
    page = (server.STATIC / "index.html").read_text(encoding="utf-8")
    assert page.count("<script") == page.count('<script type="module" src="/static/studio.js"></script>') == 1
    assert " on" + "click" not in page and "<style" not in page


def test_each_control_of_the_page_has_a_name():
    from html.parser import HTMLParser

    class Controls(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.ids: list[str] = []
            self.fors: list[str] = []
            self.bare: list[str] = []
            self.labels = 0

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            given = dict(attrs)
            self.ids += [str(given["id"])] if "id" in given else []
            self.labels += tag == "label"
            if tag == "label" and "for" in given:
                self.fors.append(str(given["for"]))
            if tag in ("input", "select", "textarea") and not self.labels and "aria-label" not in given:
                self.bare.append(str(given.get("id")))
            for name in ("aria-describedby", "aria-controls", "aria-labelledby"):
                self.fors += (given.get(name) or "").split()

        def handle_endtag(self, tag: str) -> None:
            self.labels -= tag == "label"

    controls = Controls()
    controls.feed((server.STATIC / "index.html").read_text(encoding="utf-8"))
    assert len(controls.ids) == len(set(controls.ids)) and set(controls.fors) <= set(controls.ids)
    assert set(controls.bare) <= set(controls.fors) and len(controls.ids) > 30
