"""Models of style as files: the model and its card, from files of poems."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from rlpoet.analysis.authorship.build import build_style
from rlpoet.analysis.authorship.card import card
from rlpoet.analysis.authorship.model import FILE
from rlpoet.corpus.read import read_poems
from rlpoet.errors import RlpoetError
from rlpoet.text import check_writable, write_atomically


def build_files(
    lang: str,
    sources: Sequence[str],
    out: str,
    *,
    authors: Sequence[str] = (),
    n: int = 10,
    tell: Callable[[str], object] = lambda _: None,
) -> Path:
    """``build_style`` from files of poems; its model and its card are written into a folder.

    Args:
        sources: corpora to build from.
        out: folder for ``style.npz`` and ``README.md``.

    Returns:
        The file of the model.

    Raises:
        RlpoetError: no sources or no folder; see also ``build_style``.
    """
    if not sources or not out:
        raise RlpoetError("style build: no --data or no --output_dir; expected both, as in --data poems.jsonl.gz --output_dir my_poets.")
    path = Path(out) / FILE
    check_writable(path)
    built = build_style(read_poems(sources), lang, authors=authors, n=n, tell=tell)
    built.model.save(path)
    words = ["rlpoet", "style", "build", "--lang", lang, "--data", *(Path(source).name for source in sources)]
    words += ["--authors", *authors] if authors else ["--n", str(n)]
    write_atomically(path.with_name("README.md"), card(built, shlex.join(words), path.stat().st_size))
    return path
