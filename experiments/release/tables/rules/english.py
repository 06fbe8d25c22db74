"""The English rule tables as ``row_effects`` asks them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Hashable, Iterable, Iterator
from typing import Any

import rlpoet.phonology.en.derived_forms as en_forms
import rlpoet.phonology.en.tables as en_tables
import rlpoet.prosody.en.rhyme as en_rhyme
import rlpoet.prosody.en.tables as en_verse_tables
from experiments.release.tables.rules.language import Language
from experiments.release.tables.rules.noting import NotingPattern, noting_dict, noting_function, patched

ENGLISH_WORD = re.compile(r"'?[^\W\d_]+(?:['-][^\W\d_]+)*'?")


class EnglishRules(Language):
    code = "en"
    folder = en_tables.DATA
    readers = (en_forms, en_tables, en_verse_tables)
    tables = (
        "words.tsv", "names.tsv", "attested.tsv", "endings.tsv", "prefixes.tsv", "final_stress.tsv", "spellings.tsv", "promoted.tsv",
    )  # fmt: skip

    def words(self, text: str) -> Iterable[str]:
        return ENGLISH_WORD.findall(text.lower().replace("’", "'").replace("‘", "'"))

    def sign(self, table: str, cells: list[str]) -> str:
        if table in ("words.tsv", "names.tsv", "attested.tsv"):
            stem = re.escape(cells[0].removesuffix("e").removesuffix("y"))
            return stem if len(stem) > 3 else f"#{stem}|-{stem}|{stem}e?#"
        if table == "spellings.tsv":
            return re.escape(max(en_forms.NEEDLESS.sub(" ", cells[1]).split(), key=len, default=""))
        if table == "promoted.tsv":
            return cells[0].replace("$", "(?=['s]*#)")
        return re.escape(cells[0])

    def answer(self, word: str) -> Hashable:
        sourced, known = en_rhyme.phones_of(word)
        bare = en_rhyme.fold(word).strip("'")
        return known, tuple((phones, tuple(en_rhyme.tails(bare, phones))) for phones, _ in sourced)

    @contextlib.contextmanager
    def noting(self) -> Iterator[None]:
        def own(derivation: Any) -> list[str]:
            return [source for _, source in derivation.pronunciations]

        listed = {word: tuple(where for where, *_ in found) for word, found in en_tables.verse_words().items()}
        words = noting_dict(en_tables.verse_words(), listed)
        attested = noting_dict(en_tables.attested(), {word: (where,) for word, (_, where) in en_tables.attested().items()})
        rows = self.rows("promoted.tsv")
        vowels = tuple((NotingPattern(p, row), vowel) for row, (p, vowel) in zip(rows, en_verse_tables.promoted_vowels(), strict=True))
        with patched(
            *((en_forms, name, noting_function(getattr(en_forms, name), own)) for name in ("inflected", "prefixed", "finally_stressed")),
            (en_forms, "respellings", noting_function(en_forms.respellings, lambda answer: [answer[0]])),
            *((module, "verse_words", lambda: words) for module in (en_tables, en_forms)),
            *((module, "attested", lambda: attested) for module in (en_tables, en_forms)),
            (en_rhyme, "promoted_vowels", lambda: vowels),
        ):
            yield

    def read_again(self, table: str) -> None:
        caches: dict[str, Any] = {
            "words.tsv": en_tables.verse_words, "names.tsv": en_tables.verse_words, "attested.tsv": en_tables.attested,
            "endings.tsv": en_forms._endings, "prefixes.tsv": en_forms._prefixes, "final_stress.tsv": en_forms._final_stress,
            "spellings.tsv": en_forms._spellings, "promoted.tsv": en_verse_tables.promoted_vowels,
        }  # fmt: skip
        caches[table].cache_clear()
