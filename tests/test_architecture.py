"""The rooms and who may import whom; what a clean clone and a wheel need."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from setuptools import find_packages

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("rlpoet", "rewards", "policies")
META = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
POINTS = [(group, name, value) for group, names in META["project"]["entry-points"].items() for name, value in names.items()]


def ours() -> list[Path]:
    """Files that are tracked or about to be."""
    done = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_the_top_level_is_the_agreed_one():
    expected = ["setup.py", "pyproject.toml", "README.md", "LICENSE", "Makefile", "constraints.txt", "CHANGELOG.md", ".ci/run"]
    expected += [*ROOMS, "experiments", "tests"]
    assert [name for name in expected if not (ROOT / name).exists()] == []


def test_import_contracts_are_kept(monkeypatch, capsys):
    from importlinter.cli import lint_imports

    monkeypatch.chdir(ROOT)
    code = lint_imports(no_cache=True)
    assert code == 0, capsys.readouterr().out


def test_every_folder_of_modules_is_a_package_that_setup_lists():
    listed = set(find_packages(str(ROOT), include=[pattern for room in ROOMS for pattern in (room, f"{room}.*")]))
    folders = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    assert folders == listed


def test_every_data_file_is_in_the_wheel():
    patterns = META["tool"]["setuptools"]["package-data"]
    packed = {path for room in ROOMS for pattern in patterns[room] for path in (ROOT / room).glob(pattern)}
    data = {path for path in ours() if path.relative_to(ROOT).parts[0] in ROOMS and path.suffix != ".py"}
    assert sorted(data - packed) == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_typed_and_signed(room):
    assert (ROOT / room / "py.typed").exists()
    assert importlib.import_module(room).__rlpoet__ is True


@pytest.mark.parametrize("group, name, value", POINTS, ids=[f"{group}:{name}" for group, name, _ in POINTS])
def test_every_entry_point_leads_somewhere(group, name, value):
    module, _, attribute = value.partition(":")
    assert hasattr(importlib.import_module(module), attribute)


def test_every_dependency_is_pinned():
    pinned = {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in _lines("constraints.txt")}
    wanted = [*META["project"]["dependencies"], *META["project"]["optional-dependencies"]["dev"]]
    names = {re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", want)[0]).lower() for want in wanted}
    assert names - pinned == set()


def test_pins_name_no_local_build():
    assert [line for line in _lines("constraints.txt") if "+" in line or "@" in line] == []


def test_no_file_names_a_path_of_one_machine():
    pattern = re.compile(r"(?<![\w.~])/(?:home|root|Users|work|farm|mnt|opt)/\w")
    assert [path.name for path in ours() if (text := _text(path)) is not None and pattern.search(text)] == []


def test_no_pickled_and_no_oversized_file_is_tracked():
    bad = [p.name for p in ours() if p.suffix in (".pt", ".pth", ".bin", ".pkl", ".pickle") or p.stat().st_size > 17_000_000]
    assert bad == []


def test_nothing_below_the_command_line_prints_or_reads_the_environment():
    found = []
    for path in (p for room in ROOMS for p in (ROOT / room).rglob("*.py") if p.name != "cli.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Name) else ""
            if path.name == "machine.py" and name == "os.environ":  # limits on vector units are part of what machine it is
                continue
            if name in ("print", "os.environ", "os.getenv", "logging.basicConfig"):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno} {name}")
    assert found == []


def _lines(name: str) -> list[str]:
    return [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None  # weights
