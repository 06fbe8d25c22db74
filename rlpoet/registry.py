"""What is imported late: plug-ins by entry point, ours and others' alike, and the libraries whose import takes seconds.

A name is ``module:object``, imported when it is asked for.

Groups: ``rlpoet.rewards`` (classes of rewards), ``rlpoet.policies`` (classes of policies), ``rlpoet.commands`` (verbs).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from rlpoet.errors import RlpoetError, UnknownName

OURS = ("rewards", "policies")  # top-level packages of this project that a user's own module may shadow


def names(group: str) -> tuple[str, ...]:
    """Names registered in a group, sorted; none if nothing that registers any is installed."""
    return tuple(sorted({entry.name for entry in entry_points(group=group)}))


def load(group: str, name: str) -> Any:
    """The object a name stands for.

    Raises:
        UnknownName: nobody registered the name.
        RlpoetError: two packages registered it, its module is shadowed by a file of the user's, or it does not import.
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


def _loaded(group: str, name: str, found: Iterable[EntryPoint]) -> Any:
    entries = {entry.value: entry for entry in found}
    if len(entries) > 1:
        raise RlpoetError(f"{group}: {name!r} means {' and '.join(sorted(entries))}; expected one. Uninstall one of the packages.")
    (entry,) = entries.values()
    _refuse_shadow(entry)
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise RlpoetError(f"{group}: {name!r} ({entry.value}) does not load: {error}. Reinstall the package that provides it.") from error


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
