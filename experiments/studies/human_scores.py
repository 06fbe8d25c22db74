"""What unseen human verse earns, and whether spoiling it ever pays.

    python -m experiments.studies.human_scores --corpora FOLDER [--stanzas 150] [--out FILE]

FOLDER holds ``fr.jsonl.gz``, ``es.jsonl.gz`` and ``en.jsonl.gz``; the poems are those that ``split_poems`` holds out of training.
A stanza's form is not asked of the stanza: it is the form that at least two, and three quarters, of the *other* stanzas of its poem
keep whole or nearly (``WHOLE``), so that an error of a poet, or of the verse module, stays in. A looser rule (``guess_form``, 70 %) took
poems of
seven syllables for octosyllables and any four short lines for a ballad. Sonnets are poems of 14 lines that their source calls so and whose
end words look as one of our sonnets wants them (``looks``: the letters alone decide, not the verse module that is judged). Prints, by
language and form, the median of every reward the form sets, its mean, and the share of stanzas at 0.95 or more; then how many attacks
(``rewards.testing.attacks``) on the first stanzas earned more than the stanza.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rewards.alternation import Alternation
from rewards.meter import Meter
from rewards.repetition import Repetition
from rewards.rhyme import Rhyme
from rewards.testing.attacks import ATTACKS, Example, end_word, red_team
from rlpoet.corpus import Poem, read_poems, split_poems
from rlpoet.prosody.fit import guess_form, kept
from rlpoet.prosody.forms import forms
from rlpoet.protocols import Reward
from rlpoet.types import Form, Prompt

ALIKE = 0.8  # share of pairs that look alike in a sonnet of the form; one of another scheme reaches 7 of 9
WHOLE = 0.9  # share of pairs that rhyme, and of lines in meter, from which a stanza keeps a form
FEW = 8  # stanzas of a form below which a median says little
OTHER_VERSE = ("copied verse", "another language")  # not made of the stanza: no mutations of it
REWARDS: dict[str, Callable[[], Reward]] = {
    "rhyme": Rhyme,
    "rhyme, historical": lambda: Rhyme(historical=True),
    "meter": Meter,
    "meter, no licence": lambda: Meter(licence_credit=0.0),
    "meter, caesura": lambda: Meter(missing_caesura_credit=0.0),
    "alternation": Alternation,
    "repetition": Repetition,
}
SETS = ("rhyme", "meter")  # what every form here sets


def stanzas(poems: Sequence[Poem], lang: str) -> Iterator[tuple[Form, tuple[str, ...]]]:
    """Stanzas with the form the rest of their poem keeps; whole sonnets."""
    for poem in poems:
        if "sonnet" in poem.columns.get("form", "") and len(poem.lines) == 14:
            best = max((own for own in forms(lang) if own.n_lines == 14 and "son" in own.name), key=lambda own: looks(poem.lines, own))
            if looks(poem.lines, best) >= ALIKE:
                yield best, poem.lines
            continue
        found = [kept_whole(stanza, lang) for stanza in poem.stanzas]
        for n, stanza in enumerate(poem.stanzas):
            others = Counter(own for k, own in enumerate(found) if own is not None and k != n and own.n_lines == len(stanza))
            most, times = next(iter(others.most_common(1)), (None, 0))
            if most is not None and times >= max(2, 0.75 * (len(found) - 1)):
                yield most, stanza


def kept_whole(lines: Sequence[str], lang: str) -> Form | None:
    """The form these lines keep whole or nearly; None if they keep none."""
    best = guess_form(lines, lang)
    return best if best is not None and min(kept(lines, best)) >= WHOLE else None


def looks(lines: Sequence[str], asked: Form) -> float:
    """Share of a form's pairs whose end words have their last two letters in common, less a final s, and differ elsewhere."""
    ends = [end_word(line).casefold() for line in lines]
    tails = [word.removesuffix("s")[-2:] for word in ends]
    return sum(tails[i] == tails[j] and ends[i] != ends[j] for i, j in asked.pairs) / len(asked.pairs)


def sample(poems: Sequence[Poem], lang: str, *, n: int, rng: random.Random) -> dict[str, list[Example]]:
    """Up to ``n`` stanzas a form, at most two of a poem, in the order of the table of forms."""
    found: dict[str, list[Example]] = defaultdict(list)
    for poem in rng.sample(list(poems), len(poems)):
        own = list(stanzas([poem], lang))
        for asked, lines in rng.sample(own, min(2, len(own))):
            if len(found[asked.name]) < n:
                found[asked.name].append((Prompt(lang, asked.name), "\n".join(lines)))
    return {own.name: found[own.name] for own in forms(lang) if found.get(own.name)}


def summary(scores: Sequence[float]) -> dict[str, float]:
    return {
        "n": len(scores),
        "median": round(statistics.median(scores), 4),
        "mean": round(statistics.fmean(scores), 4),
        "share_of_95": round(sum(score >= 0.95 for score in scores) / len(scores), 4),
    }


def measured(examples: dict[str, list[Example]]) -> dict[str, dict[str, dict[str, float]]]:
    """Form -> reward -> summary, of the rewards the form asks for."""
    judges = {name: make() for name, make in REWARDS.items()}
    out: dict[str, dict[str, dict[str, float]]] = {}
    for name, own in examples.items():
        scored = {reward: judge.score([p for p, _ in own], [t for _, t in own]) for reward, judge in judges.items()}
        told = {reward: [score for score in found if score is not None] for reward, found in scored.items()}
        out[name] = {reward: summary(found) for reward, found in told.items() if found}
    return out


def mutated(examples: dict[str, list[Example]], *, n: int) -> dict[str, dict[str, float | list[str]]]:
    """Reward -> attacks tried on ``n`` stanzas a form, those that earned more than the stanza, and how they did it."""
    attacks = [attack for attack in ATTACKS if attack.name not in OTHER_VERSE]
    picked = [example for own in examples.values() for example in own[:n]]
    out: dict[str, dict[str, float | list[str]]] = {}
    for name in (*SETS, "alternation", "repetition"):
        found = red_team(REWARDS[name](), picked, attacks=attacks)
        tried = [one for one in found if one.human is not None and one.earned is not None]
        above = [one for one in tried if one.earned is not None and one.human is not None and one.earned > one.human + 1e-9]
        whole = [one for one in above if one.human is not None and one.human >= 0.95]
        if tried:
            out[name] = {
                "tried": len(tried), "above": len(above), "above_of_95": len(whole),
                "how": [f"{attack} {times}" for attack, times in Counter(one.attack for one in above).most_common()],
            }  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", required=True, type=Path)
    parser.add_argument("--langs", nargs="+", default=["fr", "es", "en"])
    parser.add_argument("--share", type=float, default=0.03, help="of the poems held out")
    parser.add_argument("--stanzas", type=int, default=150, help="of each form")
    parser.add_argument("--attacked", type=int, default=10, help="of them, by every attack")
    parser.add_argument("--out", type=Path, help="JSON file of all figures")
    options = parser.parse_args()
    result = {}
    for lang in options.langs:
        _, held = split_poems(read_poems([options.corpora / f"{lang}.jsonl.gz"]), validation=options.share)
        verse = [poem for poem in held if poem.rhymed is None or poem.rhymed >= 0.5]
        examples = sample(verse, lang, n=options.stanzas, rng=random.Random(0))
        result[lang] = {"poems": len(verse), "forms": measured(examples), "mutations": mutated(examples, n=options.attacked)}
        print(f"\n{lang}: {len(verse)} held-out poems\n")
        print(f"| form | stanzas | {' | '.join(REWARDS)} |\n{'| --- ' * (2 + len(REWARDS))}|")
        for name, own in result[lang]["forms"].items():
            cells = [
                f"{own[key]['median']:.2f} / {own[key]['mean']:.3f} / {own[key]['share_of_95']:.2f}" if key in own else "-"
                for key in REWARDS
            ]
            print(f"| {name} | {len(examples[name])} | {' | '.join(cells)} |")
        low = [
            f"{reward} of {name}"
            for name, own in result[lang]["forms"].items()
            for reward in SETS
            if reward in own and own[reward]["median"] < 0.95 and own[reward]["n"] >= FEW
        ]
        print(f"\nbelow 0.95 in the median (of forms with {FEW} stanzas or more): {', '.join(low) or 'none'}")
        for name, own in result[lang]["mutations"].items():
            told = f"{own['above']} of {own['tried']} above the stanza, {own['above_of_95']} where it had 0.95 or more"
            print(f"mutations, {name}: {told}: {own['how']}")
    if options.out is not None:
        options.out.write_text(json.dumps(result, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
