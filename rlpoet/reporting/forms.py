"""Forms and authors as tables for people, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table

from rlpoet.prosody.forms import names_of, unwritable
from rlpoet.types import Form


def lengths(form: Form) -> str:
    """Syllables of the lines of a form: once if all lines are alike, else line by line.

    >>> from rlpoet.prosody.forms import form
    >>> lengths(form("couplet", "en")), lengths(form("lira", "es"))
    ('10 or 11', '7, 11, 7, 7, 11')
    """
    said = [" or ".join(map(str, choices)) or "any" for choices in form.meters]
    return said[0] if len(set(said)) == 1 else ", ".join(said)


def forms_table(forms: Sequence[Form]) -> Table:
    """A row a form; the last column says whether policies can be asked for it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("form", "other names", "scheme", "syllables", "rhyme", "policies write it"):
        table.add_column(head, overflow="fold")
    for form in forms:
        why = unwritable(form)
        others = ", ".join(name for name in names_of(form) if name != form.name)
        table.add_row(form.name, others, form.notation or form.scheme, lengths(form), form.rhyme, f"no: {why}" if why else "yes")
    return table


def forms_json(forms: Sequence[Form]) -> Iterator[dict[str, object]]:
    """What a machine is told of each form."""
    for form in forms:
        item = {
            "name": form.name,
            "names": list(names_of(form)),
            "lang": form.lang,
            "lines": form.n_lines,
            "scheme": form.notation or form.scheme,
            "meters": form.meters,
            "rhyme": form.rhyme,
            "writable": not unwritable(form),
            "description": form.description,
        }
        yield item


def authors_table(authors: Sequence[str], n_columns: int = 3) -> Table:
    """The names, commonest first, read row by row."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for start in range(0, len(authors), n_columns):
        table.add_row(*authors[start : start + n_columns])
    return table
