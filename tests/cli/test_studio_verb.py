"""``rlpoet studio``: what it needs, what it refuses, that it loads no torch before it has to, and that Ctrl-C ends it quietly."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from rlpoet.cli import serving
from rlpoet.cli.main import main

ROOT = Path(__file__).resolve().parents[2]


def test_without_the_extra_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(serving, "find_spec", lambda name: None if name == "uvicorn" else name)
    assert main(["studio"]) == 2
    assert capsys.readouterr().err == (
        "rlpoet studio: uvicorn: not installed; expected what the studio needs. Run `pip install 'rlpoet[studio]'`.\n"
    )


class TestWithTheExtra:
    @pytest.fixture(autouse=True)
    def extra(self) -> None:
        pytest.importorskip("starlette", reason="needs the extra studio")
        pytest.importorskip("uvicorn", reason="needs the extra studio")

    @pytest.mark.parametrize(("verb", "port"), [("studio", "-1"), ("studio", "65536"), ("serve", "65536")])
    def test_a_port_that_cannot_be_is_named(self, verb, port, capsys):
        assert main([verb, "--port", port]) == 2
        assert f"--port: {port}; expected 0 to 65535" in capsys.readouterr().err

    def test_a_port_that_is_taken_is_named(self, capsys):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            assert main(["studio", "--port", str(port)]) == 2
        assert re.fullmatch(rf"rlpoet studio: --port {port}: .*; expected a free port\. .*\n", capsys.readouterr().err)

    def test_an_unknown_language_is_named_before_anything_is_served(self, capsys):
        assert main(["studio", "--lang", "xx"]) == 2
        assert "unknown 'xx'" in capsys.readouterr().err

    @pytest.mark.slow
    def test_ctrl_c_ends_it_quietly(self, tmp_path):
        command = [sys.executable, "-m", "rlpoet", "studio", "--port", "0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stderr is not None
            told = process.stderr.readline()
            assert re.fullmatch(r"The studio is at http://127\.0\.0\.1:\d+/ \(Ctrl-C ends it\)\.\n", told)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
            assert process.stderr.read() == ""

    @pytest.mark.slow
    def test_the_server_answers_programs_with_its_policy_open(self, tmp_path):
        command = [sys.executable, "-m", "rlpoet", "serve", "es", "--port", "0", "--runs", str(tmp_path)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stderr is not None
            told = process.stderr.readline()
            address = re.fullmatch(r"The server is at (http://127\.0\.0\.1:\d+)/ \(Ctrl-C ends it\)\.\n", told)

            def ask(path: str, **body: object) -> str:
                data = json.dumps({"lang": "es", **body}).encode()
                request = urllib.request.Request(f"{address[1]}/api/{path}", data, {"Content-Type": "application/json"})
                with urllib.request.urlopen(request, timeout=120) as reply:
                    return reply.read().decode()

            assert json.loads(ask("analyse", text="amor\ndolor"))["poems"][0]["heard"] == "aa"
            events = [json.loads(row) for row in ask("compose", form="couplet", seed=1).splitlines()]
            assert [one["type"] for one in events].count("poem") == 1 and events[-1]["type"] == "done"
            assert "Opening the policy" not in json.dumps(events)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0

    @pytest.mark.slow
    def test_it_hears_and_finds_rhymes_without_torch(self):
        code = """
import sys
import urllib.request
from pathlib import Path
from rlpoet.studio.dictionary import rhymes_of
from rlpoet.studio.pad import analyse, line_in_full
from rlpoet.studio.server import Studio
Studio(lambda: None, runs=Path("runs")).app(port=1)
assert analyse("amour\\njour", "fr")["poems"][0]["heard"] == "aa" and line_in_full("amour", "fr")["facts"]
assert any(word["word"] == "jour" for group in rhymes_of("amour", "fr")["groups"] for word in group["words"])
assert "torch" not in sys.modules
"""
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
