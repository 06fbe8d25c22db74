"""Letters to sounds for words that no lexicon has: each letter is read in the context of its neighbours.

``contexts.tsv`` is a decision tree (IGTree), learned from CMUdict by ``experiments/release/tables/build_en_contexts.py``. A path
through it is a letter, its right neighbour, its left one, and so on outwards. The deepest row that matches gives the letter's
phones, once with and once without the word's primary stress. Each word gets one primary stress, where its odds are best.
"""

from __future__ import annotations

import functools

from rlpoet.phonology.en.tables import DATA, Phones
from rlpoet.text.tables import table_lines

ORDER = (1, -1, 2, -2, 3, -3, 4, -4, 5)  # neighbours, in the order they are asked: the right ones tell more in English
Answer = tuple[Phones, Phones, float, str]  # said under stress, said without, log odds of the stress, the row


def window(word: str, i: int) -> str:
    """The neighbours of letter ``i`` in the order of ``ORDER``; ``_`` beyond the word.

    >>> window("verse", 1)
    'rvs_e____'
    """
    n = len(word)
    return "".join([word[i + off] if 0 <= i + off < n else "_" for off in ORDER])


def _phones(cell: str) -> Phones:
    return () if cell in "-?" else tuple(cell.split())


@functools.cache
def contexts() -> dict[str, tuple[int, str]]:
    """Context -> row number and remaining cells, unparsed: a run looks at few of the 27,000 rows."""
    table = {}
    for number, raw in table_lines(DATA / "contexts.tsv", ("context", "stressed", "plain", "odds")):
        path, _, cells = raw.partition("\t")
        table[path] = number, cells
    return table


@functools.lru_cache(maxsize=20_000)
def _read(path: str) -> Answer:
    number, cells = contexts()[path]
    stressed, unstressed, odds = cells.split("\t")
    return _phones(stressed), _phones(unstressed), float(odds), f"contexts.tsv:{number}"


def answer(word: str, i: int) -> Answer:
    """What the deepest row that matches letter ``i`` gives."""
    path = word[i] + window(word, i)
    table = contexts()
    for length in range(len(path), 0, -1):
        if path[:length] in table:
            return _read(path[:length])
    return (), (), 0.0, ""


LONGEST = 40  # letters read; of a longer string only the end is, since only the end rhymes


@functools.lru_cache(maxsize=20_000)
def guess(word: str) -> tuple[Phones, str]:
    """A pronunciation for lower-case letters, and the row that decided its primary stress. It always has a vowel.

    >>> guess("vlight")[0]
    ('V', 'L', 'AY1', 'T')
    """
    letters = word[-LONGEST:]
    answers = [answer(letters, i) for i in range(len(letters))]
    able = [i for i, (stressed, *_) in enumerate(answers) if stressed]
    if not able:
        return (*(phone for _, unstressed, *_ in answers for phone in unstressed), "AH0"), "contexts.tsv"
    main = max(able, key=lambda i: (answers[i][2], -i))
    said = [stressed if i == main else unstressed for i, (stressed, unstressed, *_) in enumerate(answers)]
    once = [() if i and letters[i - 1] == letters[i] and said[i] == said[i - 1] else phones for i, phones in enumerate(said)]
    return tuple([phone for phones in once for phone in phones]), answers[main][3]  # a doubled letter is one sound: glutton


def unstressed(word: str, n: int) -> Phones:
    """What the first ``n`` letters of a word say without its primary stress.

    >>> unstressed("grandee", 5)
    ('G', 'R', 'AE0', 'N', 'D')
    """
    return tuple([phone for i in range(n) for phone in answer(word, i)[1]])
