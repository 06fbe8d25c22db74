"""How a page that a program writes gets into the documents."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from rlpoet.text import write_atomically


def write_page(path: Path, page: Callable[[], str], *, about: str | None) -> None:
    """The command of a page: no options, and one line that says what was written.

    Args:
        path: of the page.
        page: its text.
        about: what ``--help`` says.
    """
    argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    text = page()
    write_atomically(path, text)
    print(f"{path}: {len(text.splitlines())} lines")
