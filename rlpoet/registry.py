"""What is imported late: plug-ins by entry point, ours and others' alike, and the libraries whose import takes seconds.

A name is ``module:object``, imported when it is asked for.

Groups: ``rlpoet.rewards`` (classes of rewards), ``rlpoet.policies`` (classes of policies), ``rlpoet.commands`` (verbs).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.protocols import LimitedToLanguages, Reward
from rlpoet.text import write_atomically

REWARDS = "rlpoet.rewards"  # the group of classes of rewards
POLICIES = "rlpoet.policies"  # the group of classes of policies
CAUSAL_LM = "causal-lm"  # class of a policy's folder that names none
CLASS_FILE = "policy_class.json"  # in the folder of a policy of any other class
OURS = ("rewards", "policies")  # top-level packages of this project that a user's own module may shadow


def names(group: str) -> tuple[str, ...]:
    """Names registered in a group, sorted; none if nothing that registers any is installed."""
    return tuple(sorted({entry.name for entry in entry_points(group=group)}))


def load(group: str, name: str) -> Any:
    """The object a name stands for.

    Raises:
        UnknownName: nobody registered the name.
        RlpoetError: two packages registered it, its module is shadowed by a file of the user's, or it or what it imports is not
            installed. What its own code raises while it is imported comes through as it is.
    """
    found = tuple(entry_points(group=group, name=name))
    if not found:
        if not names(group):
            raise RlpoetError(f"{group}: nothing is registered; expected {name!r} from an installed rlpoet. Run `pip install -e .`.")
        raise UnknownName(group, name, names(group))
    return _loaded(group, name, found)


def load_all(group: str) -> dict[str, Any]:
    """Every object of a group by its name, in the order of ``names``. What is installed is read once, not once per name.

    Raises:
        RlpoetError: see ``load``.
    """
    found = entry_points(group=group)
    return {
        name: _loaded(group, name, [entry for entry in found if entry.name == name]) for name in sorted({entry.name for entry in found})
    }


def rewards_for(lang: str, options: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Reward]:
    """Every registered reward that can judge a language, by its name.

    Args:
        options: options of a reward by its name; the others have their defaults.

    Raises:
        RlpoetError: see ``load``.
    """
    made: dict[str, Reward] = {name: reward(**(options or {}).get(name, {})) for name, reward in load_all(REWARDS).items()}
    return {name: reward for name, reward in made.items() if not isinstance(reward, LimitedToLanguages) or reward.judges(lang)}


def name_class(folder: str | Path, name: str) -> None:
    """Say in a folder which class saved it; ``load_policy`` then opens it by that class. For the ``save`` of a policy.

    Args:
        folder: one that exists.
        name: of the class's entry point.
    """
    write_atomically(Path(folder) / CLASS_FILE, json.dumps({"policy_class": name}) + "\n")


def class_of(source: str | Path) -> str:
    """Name of the class that opens a policy: the one its folder, or the ``policy`` folder of its run, names; else ``causal-lm``.

    Raises:
        RlpoetError: a broken file there.
    """
    for folder in (Path(source), Path(source) / "policy"):
        path = folder / CLASS_FILE
        if path.is_file():
            try:
                return str(json.loads(path.read_text(encoding="utf-8"))["policy_class"])
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise RlpoetError(f'{path}: broken ({error!r:.90}); expected {{"policy_class": NAME}}. Save the policy again.') from error
    return CAUSAL_LM


def _loaded(group: str, name: str, points: Iterable[EntryPoint]) -> Any:
    entries = {entry.value: entry for entry in points}
    if len(entries) > 1:
        raise RlpoetError(f"{group}: {name!r} means {' and '.join(sorted(entries))}; expected one. Uninstall one of the packages.")
    (entry,) = entries.values()
    _refuse_shadow(entry)
    where = f"{group}: {name!r} ({entry.value})"
    try:
        module = importlib.import_module(entry.module)
    except ModuleNotFoundError as error:  # any other exception is a bug of the plug-in, and is seen whole
        if error.name and f"{entry.module}.".startswith(f"{error.name}."):
            raise RlpoetError(f"{where} does not load: {error}. Reinstall the package that provides it.") from error
        raise RlpoetError(f"{where} does not load: it imports {error.name!r}, which is not here. Install what it needs.") from error
    found: Any = module
    for part in filter(None, (entry.attr or "").split(".")):
        if not hasattr(found, part):
            raise RlpoetError(f"{where} does not load: no {part!r} in {found!r}. Reinstall the package that provides it.")
        found = getattr(found, part)
    return found


def _refuse_shadow(entry: EntryPoint) -> None:
    root = entry.module.partition(".")[0]
    if root not in OURS:
        return
    found = importlib.import_module(root)
    if not getattr(found, "__rlpoet__", False):
        where = found.__file__ or next(iter(found.__path__))
        raise RlpoetError(f"{where}: this {root!r} hides rlpoet's package of that name; expected rlpoet's. Rename it, or start elsewhere.")


@contextlib.contextmanager
def first_import(module: str) -> Iterator[None]:
    """Around the import of a module: the first time, without the garbage collector.

    torch and transformers make some million objects that stay until the end. The collector walks through them again and again while
    they are made, and once more at exit, which is a quarter of the time of a short command. Here it pauses, and what exists after the
    import is left out of later collections (``gc.freeze``).

    Args:
        module: the slowest of what is imported, ``torch`` or ``transformers.modeling_utils``. If it is there already, nothing changes.
    """
    if module in sys.modules:
        yield
        return
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
