"""What the page may ask of the server, with the limits of each field; pydantic checks them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

MOST_BYTES = 200_000  # of one request
MOST_CHARACTERS, MOST_LINES = 40_000, 400  # of a text
LONGEST = 400  # characters of a line
MOST_POEMS, MOST_AUTHORS = 8, 4  # of one composing


def _measured(text: str) -> str:
    rows = text.split("\n")
    if len(rows) > MOST_LINES:
        raise ValueError(f"{len(rows)} lines; expected at most {MOST_LINES}")
    if (longest := max(map(len, rows))) > LONGEST:
        raise ValueError(f"a line of {longest} characters; expected at most {LONGEST}")
    return text


def _one_line(text: str) -> str:
    if "\n" in text or "\r" in text:
        raise ValueError("a line break; expected one line")
    return text


Short = Annotated[str, StringConstraints(max_length=200), AfterValidator(_one_line)]
Line = Annotated[str, StringConstraints(max_length=LONGEST), AfterValidator(_one_line)]
Text = Annotated[str, StringConstraints(max_length=MOST_CHARACTERS), AfterValidator(_measured)]
Length = Annotated[int, Field(ge=1, le=100)]
LineNumber = Annotated[int, Field(ge=0, lt=MOST_LINES)]


class Asked(BaseModel):
    """What every request has: the language. A field that nobody knows is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lang: Short


class AnalyseAsked(Asked):
    """A text to be heard; ``form`` empty: as heard."""

    text: Text
    form: Short = ""


class LineAsked(Asked):
    """One line to be explained, with the lengths its form allows."""

    line: Line
    lengths: Annotated[tuple[Length, ...], Field(max_length=40)] = ()


class WordsAsked(Asked):
    """A word or line to be rhymed; ``syllables`` 0: any number."""

    word: Line
    syllables: Annotated[int, Field(ge=0, le=20)] = 0


class CompleteAsked(AnalyseAsked):
    """A text, and the number of the line (from 0, blank ones count) that is to be written anew, or finished from its ``begin``."""

    line: LineNumber
    begin: Line = ""


class Author(BaseModel):
    """An author and the share of the manner that is theirs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Short
    weight: Annotated[float, Field(gt=0, le=100)] = 1.0


class ComposeAsked(Asked):
    """Poems to be written."""

    form: Short = "quatrain-abab"
    authors: Annotated[tuple[Author, ...], Field(max_length=MOST_AUTHORS)] = ()
    theme: Short = ""
    first_line: Line = ""
    temperature: Annotated[float, Field(ge=0.1, le=2.0)] = 1.0
    n: Annotated[int, Field(ge=1, le=MOST_POEMS)] = 1
    line_by_line: bool = False
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None


class ExportAsked(AnalyseAsked):
    """A text to be copied in a format."""

    format: Short
    title: Short = ""
    author: Short = ""


def complaint(error: ValidationError) -> str:
    """One line that names each wrong field."""
    return "; ".join(_complaints(error)) + "."


def _complaints(error: ValidationError) -> Iterator[str]:
    for one in error.errors(include_url=False, include_input=False):
        place = ".".join(map(str, one["loc"])) or "request"
        yield f"{place}: {one['msg'].removeprefix('Value error, ')}"
