"""Write ``docs/forms.md`` from ``rlpoet/prosody/data/forms.tsv``.

python -m experiments.release.forms_page            # or: make docs
"""

from __future__ import annotations

import itertools
from pathlib import Path

from experiments.release.pages import write_page
from rlpoet.languages import FORMS, find
from rlpoet.prosody.forms import load
from rlpoet.reporting.forms import lengths
from rlpoet.types import Form

PAGE = Path(__file__).resolve().parents[2] / "docs" / "forms.md"
HEAD = """# Forms

This page is written by `make docs` from `rlpoet/prosody/data/forms.tsv`: change that table, never this page.

A form says how many lines a poem has, which of them rhyme, and how long they are. Wherever a form is named, any of its names will do:
`rlpoet generate --lang es --form redondilla`.

- **Scheme**: one letter per line, as handbooks write it; the signs are below.
- **Syllables**: metrical syllables as each tradition counts them. French leaves out the final mute e. Spanish adds one after a final
  stress and takes one from a line that ends in an esdrújula. English lines may have one syllable more, the feminine ending. *Any* leaves
  them free.
- **Rhyme**: *consonant* asks for full rhymes. *Assonant* also accepts the same stressed vowels. *Historical* also accepts pairs that poets
  of that century rhymed, such as *love* and *prove*. *Radif* has the rhyme before the words in which all rhyming lines end.

| sign | meaning | example |
| --- | --- | --- |
| `a` | lines of one letter rhyme | `abab` |
| `x` | a line without rhyme | `xaxa` |
| a space | an empty line | `aba bcb` |
| `A` `A1` `A2` | lines of one capital and number are the same line, a refrain, and rhyme with `a` | `ABaAabAB` |
| `*` | the first words of the first line | `aabba aab* aabba*` |
| `1` ... `9` | lines of one figure end in the same word | `123456 615243` |
| `a1` | lines of one letter and number end in the same word, and rhyme with the other lines of `a` | `a1abba1` |
| `(...)4+` | a part that may come any number of times, by itself four times | `(xa)4+` |
| `(...)2>` | the same, each time with the next letters | `(aba )2>b` |
| `=` | after a letter: that letter, wherever the chain stands | `A2=` |

Three kinds of names need no row of the table:

- `terza-rima:13` is a form of any length with thirteen lines;
- `quatrain-abab*3` is a stanza three times, with new rhymes each time;
- `aaba/10|11` is any scheme with its lengths, and `aaba/` one of any lengths; a kind of rhyme may follow, `xaxa/8/assonant`.

Policies write forms that repeat nothing and whose lines have a length. For others `rlpoet generate` and `rlpoet train` say so at once;
`rlpoet score` knows them all.

[Extending](extending.md#a-form) says how to add one.
"""


def row(form: Form, names: list[str]) -> str:
    """One form as a row of its table."""
    others = ", ".join(f"`{name}`" for name in names if name != form.name)
    return f"| `{form.name}` | {others} | `{form.notation}` | {lengths(form)} | {form.rhyme} | {form.description} |"


def page() -> str:
    """The page as Markdown."""
    parts = [HEAD]
    for lang, named in load(FORMS).items():
        parts += [f"## {find(lang).language.name}", ""]
        parts += ["| form | other names | scheme | syllables | rhyme | description |", "| --- | --- | --- | --- | --- | --- |"]
        parts += [row(form, [name for name, _ in group]) for form, group in itertools.groupby(named.items(), key=lambda pair: pair[1])]
        parts += [""]
    return "\n".join(parts).rstrip() + "\n"


def main() -> None:
    write_page(PAGE, page, about=__doc__)


if __name__ == "__main__":
    main()
