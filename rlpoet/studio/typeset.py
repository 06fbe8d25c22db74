r"""A poem as text for other programs: plain, Markdown, LaTeX (package verse), TEI.

Line breaks and stanzas are kept, indents too; what these formats take for a command is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rlpoet.corpus.poem import Poem
from rlpoet.errors import UnknownName
from rlpoet.evaluation.annotation.rows import annotate_poem
from rlpoet.evaluation.annotation.tei import DOCUMENT, FOOT, Tei, head
from rlpoet.text import stanzas, visible

BABEL = {"fr": "french", "es": "spanish", "en": "english"}
TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
        "\u00a0": "~", "\u202f": r"\,", '"': r"\textquotedbl{}",
    }
)  # fmt: skip
MARKDOWN = re.compile(r"([\\`*_\[\]<>|~&])")
AT_START = re.compile(r"^([#>+=-]|\d+(?=[.)]))")
QUAD = 4  # blanks of an indent that LaTeX prints as one quad


@dataclass(frozen=True)
class Manuscript:
    """A poem to be set.

    Attributes:
        text: its lines; blank lines part stanzas.
        lang: language it is read in.
        title, author: may be empty.
    """

    text: str
    lang: str
    title: str = ""
    author: str = ""


def as_text(poem: Manuscript) -> str:
    r"""Title, author and stanzas.

    >>> as_text(Manuscript("a\n\n\nb", "en", "T"))
    'T\n\na\n\nb\n'
    """
    head = [part for part in (poem.title, poem.author) if part]
    return "\n\n".join(["\n".join(head)] * bool(head) + ["\n".join(lines) for lines in stanzas(poem.text)]) + "\n"


def as_markdown(poem: Manuscript) -> str:
    r"""A heading and paragraphs whose lines end in hard breaks.

    >>> as_markdown(Manuscript("2. *a*\nb", "en", "T", "A"))
    '## T\n\n*A*\n\n2\\. \\*a\\*\\\nb\n'
    """
    head = [f"## {_marked(poem.title)}"] * bool(poem.title) + [f"*{_marked(poem.author)}*"] * bool(poem.author)
    return "\n\n".join([*head, *("\\\n".join(map(_markdown_line, lines)) for lines in stanzas(poem.text))]) + "\n"


def as_latex(poem: Manuscript) -> str:
    r"""A document for the package verse; its widest line sets the width of the block.

    >>> print(as_latex(Manuscript("Le ciel & l'eau\nbleus", "fr")).split("verse}", 2)[2])
    [\versewidth]
    Le ciel \& l'eau\\
    bleus\\!
    \end{verse}
    \end{document}
    <BLANKLINE>
    """
    blocks = [list(map(_tex_line, lines)) for lines in stanzas(poem.text)]
    widest = max((line for block in blocks for line in block), key=len, default="")
    body = "\n\n".join("\\\\\n".join(block) + "\\\\!" for block in blocks)
    rows = [
        r"\documentclass{article}",
        r"\usepackage[T1]{fontenc}",
        rf"\usepackage[{babel}]{{babel}}" if (babel := BABEL.get(poem.lang.partition("-")[0])) else "",
        r"\usepackage{verse}",
        r"\begin{document}",
        rf"\poemtitle{{{poem.title.translate(TEX)}}}" if poem.title else "",
        rf"\settowidth{{\versewidth}}{{{widest}}}",
        r"\begin{verse}[\versewidth]",
        body,
        r"\end{verse}",
        rf"\attrib{{{poem.author.translate(TEX)}}}" if poem.author else "",
        r"\end{document}",
    ]
    return "\n".join(row for row in rows if row) + "\n"


def as_tei(poem: Manuscript) -> str:
    """A TEI document with stanzas, rhymes and meter, as ``rlpoet annotate`` writes them.

    >>> 'rhyme="aa"' in as_tei(Manuscript("Ici gît dans la nuit sombre\\nUn poète sans nul nombre", "fr"))
    True
    """
    given = Poem(tuple(map(tuple, stanzas(poem.text))), title=poem.title, author=poem.author or None)
    parts = [head(poem.title.strip() or "Untitled", poem.author, "Written on a computer; there is no earlier source.")]
    if given.stanzas:
        parts.append(Tei().render([annotate_poem(given, poem.lang)], DOCUMENT).decode("utf-8"))
    return "".join((*parts, FOOT))


FORMATS: Mapping[str, tuple[str, Callable[[Manuscript], str]]] = MappingProxyType(
    {"text": ("txt", as_text), "markdown": ("md", as_markdown), "latex": ("tex", as_latex), "tei": ("xml", as_tei)}
)  # name -> suffix of a file, function


def typeset(poem: Manuscript, name: str) -> str:
    """A poem in one of ``FORMATS``; control characters are shown as their pictures, and title and author are one line each.

    Raises:
        UnknownName: no such format.
    """
    if name not in FORMATS:
        raise UnknownName("format", name, FORMATS)
    text = poem.text.replace("\r\n", "\n").replace("\r", "\n")
    shown = Manuscript(visible(text, keep="\n\t"), poem.lang, visible(poem.title), visible(poem.author))
    return FORMATS[name][1](shown)


def _markdown_line(line: str) -> str:
    indent = len(line) - len(line.lstrip())
    return "&nbsp;" * indent + _marked(line.lstrip())


def _marked(text: str) -> str:
    escaped = MARKDOWN.sub(r"\\\1", text)
    return AT_START.sub(lambda found: f"\\{found[0]}" if not found[0].isdigit() else found[0], re.sub(r"^(\d+)([.)])", r"\1\\\2", escaped))


def _tex_line(line: str) -> str:
    shown = line.lstrip()
    indent = len(line) - len(shown)
    star = "{}" if shown.startswith(("*", "[")) else ""  # after \\ they would be its options
    return (rf"\hspace*{{{indent / QUAD:g}em}}" if indent else "") + star + shown.translate(TEX)
