"""Whose eight lines are these? The shipped models, which know sound alone, against character n-grams of scikit-learn.

    python -m experiments.studies.style_attribution fr=fr.jsonl.gz es=es.jsonl.gz en=en.jsonl.gz

The corpora are those the models' cards name, so the groups of lines are the ones that trained, calibrated and judged the models. The
classifier of characters (tf-idf of two to five characters, case and punctuation kept, linear support vector machine, its C chosen on the
groups that calibrate) reads the same lines of the same poets that the model of sounds heard. A second one reads letters alone: lower
case, no punctuation. Intervals are 95 %, by resampling judged groups within each poet, in pairs for the differences.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from rlpoet.analysis.authorship.build import MOST
from rlpoet.analysis.authorship.groups import Group, Groups, split_groups
from rlpoet.analysis.authorship.model import StyleModel, line_sounds, style_model
from rlpoet.corpus.read import read_poems

STRENGTHS = (0.5, 2.0)  # C
DRAWS = 2000


def as_written(group: Group) -> str:
    return "\n".join(group)


def letters(group: Group) -> str:
    """Lower case, apostrophes and line breaks kept, everything else that is no letter a space."""
    return re.sub(r"[^\w\n']+", " ", as_written(group).lower().replace("’", "'"))


def right_by_sound(model: StyleModel, groups: Groups) -> list[np.ndarray]:
    """For each poet, which of the judged groups are given to that poet."""
    found = []
    for number, poet in enumerate(model.poets):
        margins = np.array([model.margins(line_sounds(group, model.lang))[: len(model.poets)] for group in groups["judge", poet]])
        found.append(margins.argmax(axis=1) == number)
    return found


def right_by_characters(poets: Sequence[str], groups: Groups, reading: Callable[[Group], str]) -> list[np.ndarray]:
    """The same by a linear classifier of characters, trained here."""
    sides: dict[str, tuple[list[str], np.ndarray]] = {}
    for side in ("train", "calibrate", "judge"):
        texts = [reading(group) for poet in poets for group in groups[side, poet]]
        sides[side] = texts, np.repeat(np.arange(len(poets)), [len(groups[side, poet]) for poet in poets])
    scale = TfidfVectorizer(analyzer="char", ngram_range=(2, 5), lowercase=False, sublinear_tf=True, min_df=2, dtype=np.float32)
    matrix, owner = scale.fit_transform(sides["train"][0]), sides["train"][1]
    unseen, whose = scale.transform(sides["calibrate"][0]), sides["calibrate"][1]
    tried = [LinearSVC(C=strength, random_state=0).fit(matrix, owner) for strength in STRENGTHS]
    best = max(tried, key=lambda own: float((own.predict(unseen) == whose).mean()))
    given = best.predict(scale.transform(sides["judge"][0]))
    return [given[sides["judge"][1] == number] == number for number in range(len(poets))]


def with_interval(parts: Sequence[np.ndarray]) -> dict[str, float]:
    """The mean over poets, and its interval."""
    rng = np.random.default_rng(0)
    drawn = np.mean([part[rng.integers(len(part), size=(DRAWS, len(part)))].mean(axis=1) for part in parts], axis=0)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"mean": round(float(np.mean([part.mean() for part in parts])), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def attribute(lang: str, corpus: Path) -> dict[str, object]:
    """One language's figures.

    Raises:
        SystemExit: no poets ship for it.
    """
    model = style_model(lang)
    if model is None:
        raise SystemExit(f"{lang}: no poets ship; expected fr, es or en.")
    groups = split_groups(read_poems([corpus]), model.poets, most=MOST)
    sound = right_by_sound(model, groups)
    told: dict[str, object] = {
        "lang": lang,
        "poets": len(model.poets),
        "trained": sum(len(groups["train", poet]) for poet in model.poets),
        "judged": sum(map(len, sound)),
        "sound": with_interval(sound),
    }
    for name, reading in (("characters", as_written), ("letters", letters)):
        other = right_by_characters(model.poets, groups, reading)
        told[name] = with_interval(other)
        told[f"sound - {name}"] = with_interval([own.astype(float) - theirs for own, theirs in zip(sound, other, strict=True)])
    told["by poet"] = {poet: round(float(own.mean()), 3) for poet, own in zip(model.poets, sound, strict=True)}
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", metavar="LANG=FILE")
    for item in parser.parse_args().corpora:
        lang, _, corpus = item.partition("=")
        sys.stdout.write(json.dumps(attribute(lang, Path(corpus)), ensure_ascii=False) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
