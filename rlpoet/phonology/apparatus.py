"""What an edition prints beside the verse: stage directions, speakers, note marks, numbers of lines. Seen, but not heard.

A sign that is not heard is replaced by a space, so that every place of the line stays. Brackets inside a line are kept as the poet's or as
an editor's restored word, unless they hold a known direction or a number. Left out: directions without brackets.
"""

from __future__ import annotations

import re

SIGNS = re.compile(r"[\[({<*†‡§¶:¹²³⁰-⁹0-9]|[.]\s?[—–-]")  # a line without one of these has no apparatus
BRACKETS = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|\{[^{}]*\}|<[^<>]*>")
MARKS = re.compile(
    r"(?<=[^\s\d])[*†‡§¶]+(?=\W|$)|^\s*[*†‡§¶]+|[¹²³⁰-⁹]+"  # word*, *a note, word¹
    r"|(?<=[^\W\d_])[0-9]{1,3}(?=\W*$|\s)|(?<=[^\W\d_][,.;:!?»\"”])[0-9]{1,3}(?=\s|$)"  # word1, word.1
)
LINE_NUMBER = re.compile(r"(?:(?<=[^\w\s])\s*|\s\s+)[0-9]{1,4}\W*$|(?<=\w)\s+[0-9]{0,2}[05]\W*$")  # at the end of a line
VERSE_NUMBER = re.compile(r"^\s*[0-9]{1,4}(?:[.:)]\s+|\s\s+|\t)")  # at its start
SPEAKER = re.compile(r"^\s*[^\W\d_]{2,}(?:[ .'’-]+[^\W\d_]+){0,3}(?::|\.\s?[—–-]+)(?=\s*\S)")
NUMBER = re.compile(r"(?:n(?:ote|ota)?\.?\s*)?(?:[0-9]{1,4}|[*†‡§¶]+)|note|nota", re.IGNORECASE)
LETTER = re.compile("[a-z]|[ivxIVX]{1,5}")
# How directions begin, in English, French and Spanish, and what is one only by itself: (sings), (bas), (canta).
DIRECTIONS = re.compile(
    r"(?:exit|exeunt|enter|re-enter|aside|à part|a parte?|à (?:lui|elle)-même|à voix (?:basse|haute)|au public|aparte|vase|vanse|salen?"
    r"|yéndose|(?:il|elle|ils|elles) (?:sort(?:ent)?|entre(?:nt)?|lit|chante|pleure|rit|tombe|meurt|se lève|s['’]assied|s['’]éloigne))\b",
    re.IGNORECASE,
)
ALONE = frozenset(
    "sings singing reads reading kneels kneeling weeps weeping dies dying rises aloud softly within flourish alarum curtain sic bis "
    "refrain chorus bas haut seul seule lisant chantant pleurant entre sort sortent rideau ap dentro canta cantan lee leyendo llora muere "
    "entra entran telón".split()
)
FAR = 400  # signs of a line that are looked at, from either end: longer ones are no verse


def heard(line: str) -> str:
    """The line with spaces for what is not heard; the line itself if there is nothing of the kind, or nothing else.

    >>> heard("To be, or not to be. [Exit]"), heard("Sing, goddess1   25"), heard("(As if) it were")
    ('To be, or not to be.       ', 'Sing, goddess      ', '(As if) it were')
    """
    if len(line) > FAR or SIGNS.search(line) is None:
        return line
    silent = BRACKETS.sub(lambda match: _blank(match) if _aside(match, line) else match[0], line)
    for pattern in (VERSE_NUMBER, LINE_NUMBER, MARKS):
        silent = pattern.sub(_blank, silent)
    speaker = SPEAKER.match(silent)
    if speaker is not None and speaker[0].isupper() and not silent[speaker.end() :].isupper():
        silent = _blank(speaker) + silent[speaker.end() :]
    return silent if silent != line and any(map(str.isalpha, silent)) else line


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _aside(brackets: re.Match[str], line: str) -> bool:
    """Whether brackets hold a direction, a note or a number: by their words, or square ones by their place at an end of the line."""
    inside = brackets[0][1:-1].strip()
    if NUMBER.fullmatch(inside) or DIRECTIONS.match(inside) or inside.lower().rstrip(".,!") in ALONE:
        return True
    if brackets[0][0] != "[":
        return False
    if LETTER.fullmatch(inside) and inside not in ("a", "I", "y", "o", "e"):  # words that an editor may restore
        return True
    before, after = line[: brackets.start()].strip(), line[brackets.end() :].strip()
    at_end = not after.strip(".,;:!?") and before[-1:] in (*'.;:!?,—–"”»',) and before != ""
    return inside[:1].isupper() and (at_end or (not before and inside[-1:] == "."))
