"""The benchmark: fixed prompts, answers of a server and of a folder, and a leaderboard that keeps its rows."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from rlpoet.cli.main import main
from rlpoet.corpus import Poem
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.evaluation.bench import bench_prompts
from rlpoet.evaluation.bench.run import entered, people, shipped_people
from rlpoet.evaluation.bench.server import ServerModel
from rlpoet.prosody.forms import form

COUPLET = "Je suis le ténébreux, le veuf, l'inconsolé,\nMa seule étoile est morte, et mon luth constellé"
LANGS = ("fr", "es", "en")


class Server(ThreadingHTTPServer):
    """A server of chat completions that answers every prompt with one poem.

    Attributes:
        refusals: statuses that the next requests get.
        asked: bodies and keys of the requests.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.content: Any = f"<think>Il faut douze syllabes.</think>\n```\n{COUPLET}\n```"
        self.refusals: list[int] = []
        self.asked: list[tuple[dict[str, Any], str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Answers(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((body, self.headers.get("Authorization")))
        status = self.server.refusals.pop() if self.server.refusals else 200
        content = body["messages"][0]["content"] if self.server.content == "echo" else self.server.content
        reply = {"choices": [{"message": {"role": "assistant", "content": content}}]} if status == 200 else {"error": "not today"}
        data = json.dumps(reply).encode()
        self.send_response(status if self.path == "/v1/chat/completions" else 404)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


# -- prompts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", LANGS)
def test_there_are_two_hundred_prompts_of_four_long_forms_and_the_first_are_balanced(lang):
    prompts = bench_prompts(lang)
    assert len({one.text for one in prompts}) == len(prompts) == 200
    assert {len({one.form for one in prompts[n : n + 4]}) for n in range(0, 200, 4)} == {4}
    for one in prompts:
        assert form(one.form, lang).name == one.form and one.theme in one.text and "{" not in one.text
        assert set(form(one.form, lang).meters) == {{"fr": (12,), "es": (11,), "en": (10, 11)}[lang]}


def test_prompts_stay_what_they_are_in_a_version():
    text = json.dumps([(one.lang, one.form, one.text) for lang in LANGS for one in bench_prompts(lang)], ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "c50f75c06f9127f2"  # another digest takes another VERSION


def test_a_language_without_prompts_is_named():
    with pytest.raises(UnknownName, match="expected one of en, es, fr"):
        bench_prompts("it")


# -- models ------------------------------------------------------------------------------------------


def test_a_server_is_asked_and_its_answers_are_counted(server, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sesame")
    out, answers = tmp_path / "board.json", tmp_path / "answers.jsonl"
    options = ["--name", "poet", "--langs", "fr", "-n", "4", "--out", str(out), "--answers", str(answers)]
    assert main(["bench", server.url, *options]) == 0
    board = json.loads(out.read_text(encoding="utf-8"))
    (row,) = board["models"]
    figures = row["langs"]["fr"]
    assert row["model"] == "poet" and figures["all"]["n"] == 4
    assert figures["all"]["right_lines"] == figures["all"]["perfect_stanzas"] == 0.25
    assert figures["couplet"]["rhyme_pairs"] == figures["couplet"]["lines_in_meter"] == 1.0
    assert figures["sonnet"]["right_lines"] == figures["sonnet"]["rhyme_pairs"] == 0.0
    assert figures["all"]["perfect_stanzas_95"][0] < 0.25 < figures["all"]["perfect_stanzas_95"][1]
    kept = [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]
    assert [one["prompt"] for one in kept] == [one.text for one in bench_prompts("fr")[:4]] and kept[0]["poem"] == COUPLET
    assert {key for _, key in server.asked} == {"Bearer sesame"} and {body["model"] for body, _ in server.asked} == {"poet"}
    shown = capsys.readouterr().out
    assert "poet" in shown and "people" in shown and "25 %" in shown


def test_answers_of_a_server_come_in_the_order_of_the_prompts(server):
    server.content = "echo"
    asked = bench_prompts("es")[:20]
    assert list(ServerModel(server.url, "poet", parallel=8).answers(asked, 5)) == [one.text for one in asked]
    assert sorted(body["seed"] for body, _ in server.asked) == list(range(5, 25))


def test_a_busy_server_is_asked_again_and_one_without_words_writes_no_poem(server):
    server.refusals, server.content = [429, 503], None
    assert list(ServerModel(server.url, "poet", wait=0.0).answers(bench_prompts("fr")[:1])) == [None]
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("status", "message"), [(401, "401 Unauthorized .*not today.*OPENAI_API_KEY"), (429, "429 Too Many"), (404, "404 Not Found")]
)
def test_a_server_that_refuses_is_told_in_one_line(status, message, server):
    server.refusals = [status] * 9
    with pytest.raises(RlpoetError, match=message):
        list(ServerModel(server.url, "poet", wait=0.0, parallel=1).answers(bench_prompts("fr")[:1]))


def test_an_address_without_a_server_is_told(server):
    with pytest.raises(RlpoetError, match="expected a server there"):
        list(ServerModel("http://127.0.0.1:9/v1", "poet").answers(bench_prompts("fr")[:1]))


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"choices":', "IncompleteRead"),
        (b"hello\r\n", "hello"),
        (b"HTTP/1.1 200 OK\r\n\r\n[]", "expected choices with a message"),
        (b'HTTP/1.1 200 OK\r\n\r\n{"choices": [{"message": {"content": 5}}]}', "expected choices with a message"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 200_000, "not JSON"),
    ],
)
def test_a_server_that_answers_something_else_is_told_in_one_line(reply, message):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                read = b""
                while not read.endswith(b"}"):  # a connection with bytes unread is reset
                    read += connection.recv(1 << 16)
                connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(RlpoetError, match=message):
            list(ServerModel(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", "poet").answers(bench_prompts("fr")[:1]))
        thread.join()


@pytest.mark.parametrize("address", ["http://[::1/v1", "http://localhost:port/v1", "http://a b/v1", "http:///v1"])
def test_what_is_no_address_is_told(address):
    with pytest.raises(RlpoetError, match="expected a"):
        list(ServerModel(address, "poet").answers(bench_prompts("fr")[:1]))


def test_the_key_is_not_taken_to_where_a_server_points():
    seen: list[str | None] = []

    class Pointing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.headers.get("Authorization"))
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
            self.end_headers()

        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization"))
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Pointing) as pointing:
        threading.Thread(target=pointing.serve_forever).start()
        with pytest.raises(RlpoetError, match="404"):
            list(ServerModel(f"http://127.0.0.1:{pointing.server_port}/v1", "poet", key="sesame").answers(bench_prompts("fr")[:1]))
        pointing.shutdown()
    assert seen == ["Bearer sesame", None]


def test_a_plain_model_is_asked_in_words_and_writes_its_own_tokens(tmp_path):
    from tiny_plain import gpt2, plain_tokenizer, save_plain  # torch, which no other test here needs

    tokenizer = plain_tokenizer()
    folder = save_plain(tmp_path / "model", gpt2(tokenizer), tokenizer)
    out = tmp_path / "board.json"
    options = ["--langs", "fr", "-n", "2", "--max_tokens", "8", "--temperature", "0", "--out", str(out)]
    options += ["--answers", str(tmp_path / "a.jsonl")]
    assert main(["bench", str(folder), *options]) == 0
    first = (tmp_path / "a.jsonl").read_bytes()
    assert json.loads(out.read_text(encoding="utf-8"))["models"][0]["langs"]["fr"]["all"]["n"] == 2
    assert main(["bench", str(folder), *options]) == 0
    assert (tmp_path / "a.jsonl").read_bytes() == first  # temperature 0
    assert len(json.loads(out.read_text(encoding="utf-8"))["models"]) == 1


# -- leaderboard -------------------------------------------------------------------------------------


def board_row(model: str, share: float) -> dict[str, Any]:
    return {"model": model, "langs": {"fr": {"all": {"n": 4, "perfect_stanzas": share}}}}


def test_a_leaderboard_is_sorted_and_replaces_a_model(tmp_path):
    path = tmp_path / "board.json"
    entered(path, board_row("a", 0.25), {"fr": {"all": {"n": 9}}})
    entered(path, board_row("b", 0.5), {"en": {"all": {"n": 8}}})
    board = entered(path, board_row("a", 0.75), {})
    assert [(row["model"], row["langs"]["fr"]["all"]["perfect_stanzas"]) for row in board["models"]] == [("a", 0.75), ("b", 0.5)]
    assert set(board["people"]) == {"fr", "en"} and json.loads(path.read_text(encoding="utf-8")) == board


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "MODEL is missing"),
        (["http://localhost:1/v1"], "--name: none given"),
        (["fr-tb", "-n", "201"], "expected at most 200"),
        (["fr-tb", "--langs", "it"], "unknown 'it'"),
        (["fr-tb", "--out", "other.json"], "expected a leaderboard of 'rlpoet verse', version 1"),
        (["fr-tb", "--langs", "fr", "es"], "this policy writes fr; expected --langs fr"),
    ],
)
def test_what_cannot_be_run_is_told_in_one_line(options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.json").write_text('{"benchmark": "chess"}', encoding="utf-8")
    assert main(["bench", *options]) == 2
    shown = capsys.readouterr().err
    assert message in shown and shown.count("\n") == 1


# -- people ------------------------------------------------------------------------------------------


def test_people_count_under_the_form_they_keep_and_only_if_they_keep_one():
    poems = [Poem((tuple(COUPLET.split("\n")),)), Poem((("Le chat dort", "La mer est bleue et verte"),))]
    found = people(poems, "fr", 5, seed=0)
    assert found["all"]["n"] == found["couplet"]["n"] == 1 and found["couplet"]["rhyme_pairs"] == 1.0


@pytest.mark.parametrize("lang", LANGS)
def test_shipped_figures_of_people_have_every_form_and_are_near_the_top(lang):
    found = shipped_people()[lang]
    assert set(found) == {one.form for one in bench_prompts(lang)} | {"all"}
    assert 0.75 < found["all"]["rhyme_pairs"] <= 1 and 0.85 < found["all"]["lines_in_meter"] <= 1
    low, high = found["all"]["perfect_stanzas_95"]
    assert low < found["all"]["perfect_stanzas"] < high


ASKED = ["--name", "poet", "--langs", "fr", "--parallel", "1"]


@pytest.mark.parametrize("kept", [True, False])
def test_a_run_that_was_stopped_goes_on_with_the_answers_it_has(kept, server, tmp_path):
    out, answers = tmp_path / "board.json", tmp_path / "answers.jsonl"
    argv = ["bench", server.url, *ASKED, "--out", str(out), *(["--answers", str(answers)] if kept else [])]
    assert main([*argv, "-n", "3"]) == 0
    whole = json.loads(out.read_text(encoding="utf-8"))["models"]
    assert kept or [path.name for path in tmp_path.iterdir()] == ["board.json"]
    out.unlink()
    answers.unlink(missing_ok=True)
    server.asked.clear()
    server.refusals = [*[401] * 9, 200, 200]  # the last comes first
    assert main([*argv, "-n", "3"]) == 2 and not out.exists()
    (part,) = tmp_path.iterdir()
    assert len(part.read_text(encoding="utf-8").splitlines()) == 2
    with part.open("a", encoding="utf-8") as file:  # killed while it wrote a row
        file.write('{"lang": "fr", "fo')
    server.refusals = []
    server.asked.clear()
    assert main([*argv, "-n", "3"]) == 0 and [body["seed"] for body, _ in server.asked] == [2]
    assert json.loads(out.read_text(encoding="utf-8"))["models"] == whole
    assert not kept or len(answers.read_text(encoding="utf-8").splitlines()) == 3


@pytest.mark.parametrize("other", [["--seed", "1"], ["--temperature", "0.1"], ["--max_tokens", "9"], ["--name", "painter"]])
def test_answers_of_another_run_are_refused_and_left(other, server, tmp_path, capsys):
    answers = tmp_path / "answers.jsonl"
    argv = ["bench", server.url, *ASKED, "-n", "1", "--out", str(tmp_path / "board.json"), "--answers", str(answers)]
    assert main(argv) == 0
    before = answers.read_bytes()
    assert main([*argv, *other]) == 2 and "answers.jsonl: answers of another model" in capsys.readouterr().err
    assert answers.read_bytes() == before


def test_a_shorter_run_leaves_the_answers_of_a_longer_one_and_text_that_is_none(server, tmp_path, capsys):
    answers = tmp_path / "answers.jsonl"
    argv = ["bench", server.url, *ASKED, "--out", str(tmp_path / "board.json"), "--answers", str(answers)]
    assert main([*argv, "-n", "3"]) == 0
    three = answers.read_bytes()
    server.asked.clear()
    assert main([*argv, "-n", "1"]) == 0 and answers.read_bytes() == three and not server.asked
    for mine in ("my notes\nof a week\n", "my notes", "{\n"):
        answers.write_text(mine, encoding="utf-8")
        assert main([*argv, "-n", "1"]) == 2 and "expected a new file" in capsys.readouterr().err
        assert answers.read_text(encoding="utf-8") == mine


@pytest.mark.parametrize("cut", [1, 2, 40])
def test_a_row_that_was_not_ended_is_asked_for_again(cut, server, tmp_path):
    answers = tmp_path / "answers.jsonl"
    argv = ["bench", server.url, *ASKED, "-n", "2", "--out", str(tmp_path / "board.json"), "--answers", str(answers)]
    assert main(argv) == 0
    whole = answers.read_bytes()
    server.asked.clear()
    for kept in (whole[:-cut], whole[: whole.index(b"\n") + 1 + cut]):
        answers.write_bytes(kept)
        assert main(argv) == 0 and answers.read_bytes() == whole
    assert [body["seed"] for body, _ in server.asked] == [1, 1]
