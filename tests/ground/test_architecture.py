"""The rooms and who may import whom; what a clean clone and a wheel need."""

from __future__ import annotations

import ast
import functools
import importlib
import re
import subprocess
import sys
import tomllib
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from setuptools import find_packages

import rlpoet

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("rlpoet", "rewards", "policies")
META = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
READ = {
    ("rlpoet/machine.py", "os.environ"),  # limits on vector units, which tell one machine from another
    ("rlpoet/training/distributed/ranks.py", "os.environ"),  # where a launcher says which process this is
}
DRAWN_BY = {  # who may import what draws; all others ask these
    "matplotlib": {"rlpoet.reporting.charts", "rlpoet.reporting.figures"},
    "jinja2": {"rlpoet.reporting.pages"},
    "rich.progress": {"rlpoet.reporting.progress"},
}
TYPED = {  # for the name of a type only
    "matplotlib": {
        "policies.loss_chart",
        "rlpoet.reporting.corpus",
        "rlpoet.reporting.tracking.reporters",
        "rlpoet.reporting.tracking",
        "rlpoet.sweeps.charts",
    },
}
MOST = 20  # entries of a folder, Python's own files aside
POINTS = [(group, name, value) for group, names in META["project"]["entry-points"].items() for name, value in names.items()]


def ours() -> list[Path]:
    """Files that are tracked or about to be."""
    done = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


@functools.cache
def modules() -> dict[str, Path]:
    """Every module of this project by its dotted name, a package by its own."""
    paths = [path for room in (*ROOMS, "experiments") for path in (ROOT / room).rglob("*.py")]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


@functools.cache
def imports() -> list[tuple[str, str, bool]]:
    """``(importer, imported, whether inside a function)`` within this project, those of type checkers too."""
    known = modules()
    found = []
    for name, path in known.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        inside = {id(node) for function in functions for node in ast.walk(function)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{path}: a relative import; expected the whole name"
                targets = [own if (own := f"{node.module}.{alias.name}") in known else str(node.module) for alias in node.names]
            else:
                continue
            found += [(name, target, id(node) in inside) for target in targets if target in known and target != name]
    return found


def test_no_module_imports_itself_by_way_of_others():
    edges: dict[str, set[str]] = {}
    for importer, imported, _ in imports():
        edges.setdefault(importer, set()).add(imported)
    assert list(TopologicalSorter(edges).static_order())  # a CycleError names the circle


def test_only_the_command_line_imports_inside_functions():
    late = {(importer, imported) for importer, imported, inside in imports() if inside}
    assert {pair for pair in late if not pair[0].startswith(("rlpoet.cli.", "experiments."))} == set()


def test_every_room_says_what_is_in_it():
    rooms = [path for room in ROOMS for path in (ROOT / room).rglob("__init__.py")]
    assert [path for path in rooms if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))] == []


def test_no_folder_is_crowded():
    entries: dict[Path, set[str]] = {}
    for path in ours():
        for folder, entry in zip(path.parents, path.relative_to(ROOT).parts[::-1], strict=False):
            if not entry.startswith("__") and entry != "py.typed" and folder != ROOT:
                entries.setdefault(folder, set()).add(entry)
    assert {str(folder): len(own) for folder, own in entries.items() if len(own) > MOST} == {}


def test_no_two_files_of_tests_share_a_name():
    """pytest imports each by its bare name: of two that share one, it leaves the second out with an error."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, n in names.items() if n > 1] == []


def test_the_face_is_typed_as_it_is():
    stub = ast.parse((ROOT / "rlpoet" / "__init__.pyi").read_text(encoding="utf-8"))
    typed = {alias.name: node.module for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed == rlpoet.FACE and {*typed, "__version__"} == set(rlpoet.__all__)


def test_the_face_is_quick_and_loads_no_torch_for_a_question_about_verse():
    code = """
import sys
import rlpoet
early = sorted(name for name in sys.modules if name.startswith(("rlpoet.", "torch", "numpy")))
assert early == [], early
assert rlpoet.rhymes("amour", "jour", lang="fr") and rlpoet.scan("amour", lang="fr").syllables == 2
assert rlpoet.explain("amour", "fr").line == rlpoet.score("amour", "fr").lines[0]
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


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
    extras = META["project"]["optional-dependencies"]
    wanted = [*META["project"]["dependencies"], *extras["dev"], *extras["docs"]]
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
    for path in (p for room in ROOMS for p in (ROOT / room).rglob("*.py") if "cli" not in p.parts):
        where = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = node.id if isinstance(node, ast.Name) else ""
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                name = f"{node.value.id}.{node.attr}"
            if (where, name) not in READ and name in ("print", "os.environ", "os.getenv", "logging.basicConfig"):
                found.append(f"{where}:{node.lineno} {name}")
    assert found == []


def test_pages_charts_and_bars_are_made_in_one_place():
    """The libraries that draw are imported by few modules, and no string of a program is HTML."""
    tag = re.compile(r"</?(?:a|b|code|details|div|figure|h\d|html|li|ol|p|path|pre|small|span|strong|style|svg|table|td|text|th|tr|ul)\b")
    users: dict[str, set[str]] = {library: set() for library in DRAWN_BY}
    by_hand = set()
    for name, path in modules().items():
        if name.startswith("experiments"):
            continue
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        named = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        named += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
        for library, own in users.items():
            if any(f"{one}.".startswith(f"{library}.") for one in named):
                own.add(name)
        blocks = [node for node in nodes if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node)]
        docs = {id(node.body[0].value) for node in blocks}
        texts = (node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in docs)
        by_hand |= {name for text in texts if isinstance(text, str) and tag.search(text)}
    assert users == {library: places | TYPED.get(library, set()) for library, places in DRAWN_BY.items()}
    # one takes tags out of what matplotlib wrote, and the other writes TEI, some of whose elements have names of HTML
    assert by_hand == {"rlpoet.reporting.charts", "rlpoet.evaluation.annotation.tei"}


def test_a_verb_is_one_short_function():
    for path in (ROOT / "rlpoet" / "cli" / "verbs").rglob("[!_]*.py"):
        functions = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)]
        sizes = {node.name: node.end_lineno - node.lineno + 1 for node in functions}
        assert list(sizes) == ["run"] and sizes["run"] <= 30, path.name


def _lines(name: str) -> list[str]:
    return [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None  # weights
