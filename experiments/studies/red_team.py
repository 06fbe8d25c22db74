"""The table of attacks in docs/rewards.md: every registered reward against every attack.

    python -m experiments.studies.red_team

prints the table and writes it between its marks in docs/rewards.md. Rewards that ask for nothing without their parameters get
some here that suit each poem. ``rlpoet redteam`` tries rewards of your own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from rewards.compose import Product, WeightedMean
from rewards.copying import Copying
from rewards.meter import Meter
from rewards.rhyme import Rhyme
from rewards.testing.attacks import COPIED, end_word, red_team_table
from rlpoet import registry
from rlpoet.analysis.ngram_index import NgramIndex
from rlpoet.corpus import Poem
from rlpoet.protocols import Reward
from rlpoet.text import split_poem
from rlpoet.types import Prompt

PAGE = Path(__file__).parents[2] / "docs" / "rewards.md"
BEGIN, END = "<!-- red team: python -m experiments.studies.red_team -->\n", "<!-- end of red team -->"
Maker = Callable[[Prompt, str], Reward]


def suited(folder: Path) -> dict[str, Reward | Maker]:
    """Rewards with parameters that make sense of each poem, by name."""
    index = folder / "known.npz"
    NgramIndex.build([Poem((tuple(split_poem(text)),)) for _, text in COPIED], n=8).save(index)

    def load(name: str) -> Callable[..., Reward]:
        found: Callable[..., Reward] = registry.load("rlpoet.rewards", name)
        return found

    return {
        "acrostic": lambda prompt, poem: load("acrostic")(word="".join(line[0] for line in split_poem(poem))),
        "rhyme_words": lambda prompt, poem: load("rhyme_words")(words=" ".join(end_word(line) for line in split_poem(poem))),
        "copying": Copying(index=str(index)),
        "style": lambda prompt, poem: load("style")(away=1.0),
    }


def rewards(folder: Path) -> list[tuple[str, Reward | Maker]]:
    """Every registered reward, rhyme and meter first, then all of ours that a run can take together."""
    own = suited(folder)
    names = sorted(registry.names("rlpoet.rewards"), key=lambda name: (name not in ("rhyme", "meter"), name == "meter", name))
    single: list[tuple[str, Reward | Maker]] = [(name, own.get(name) or registry.load("rlpoet.rewards", name)()) for name in names]
    parts = [(Rhyme(), 2.0), (Meter(), 1.0)]
    repetition = registry.load("rlpoet.rewards", "repetition")()
    return [
        *single,
        ("`train`'s mean", WeightedMean(parts)),
        ("product of four", Product([*parts, (repetition, 1.0), (own["copying"], 1.0)])),
    ]


def table() -> str:
    """The table as it should stand in the docs."""
    with tempfile.TemporaryDirectory() as folder:
        return red_team_table(rewards(Path(folder))) + "\n"


def main() -> None:
    found = table()
    print(found)
    page = PAGE.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE}: marks missing; expected {BEGIN.strip()} and {END}.")
    PAGE.write_text(f"{before}{begin}\n{found}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
