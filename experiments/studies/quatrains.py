"""What policies write before anything is chosen: right pairs, lines and quatrains, end words, and how many of those are no words.

    python -m experiments.studies.quatrains --lang fr --corpus fr.jsonl.gz fr runs/fr-tb-s0/policy

600 quatrains a policy (abab and abba; 20 authors, and none in a fifth; temperature 1, ``--top_p`` if asked for), one line of JSON each;
other forms by ``--forms``, nobody's by ``--no_authors``. ``invented``: end words that stand nowhere in the corpus, an elided article
left out. No word rhymes with itself, unless ``--allow_identical_rhyme``. Good to a third of a point of pairs, where a run's own
evaluation is good to one, with
end words counted as there:

    python -m experiments.studies.quatrains --lang en --corpus en.jsonl.gz --forms couplet \
        --unnamed 20 --each 128 --in_draws 512 --seed 0 POLICY
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import sys
from collections.abc import Collection, Sequence

from policies.causal_lm import CausalPolicy
from rlpoet.corpus import read_poems
from rlpoet.evaluation.diversity import distinct_share
from rlpoet.evaluation.form import measure, poem_facts
from rlpoet.types import Prompt

FORMS = ("quatrain-abab", "quatrain-abba")
N_DRAWS = 20


def figures(
    policy: CausalPolicy,
    *,
    forms: Sequence[str] = FORMS,
    authors: bool = True,
    unnamed: int = 5,
    in_draws: int = 0,
    each: int = 12,
    allow_identical_rhyme: bool = False,
    top_p: float = 1.0,
    known: Collection[str] = (),
) -> dict[str, float]:
    """What a policy writes of each form, by 20 of its authors and by none (a fifth), or by none alone.

    Args:
        unnamed: prompts without an author beside the 20.
        in_draws: count distinct end words in so many poems at a time, the mean of twenty draws: their share falls with the number of
            poems. 0 counts them in all.
        each: poems a prompt.
        known: words of a corpus; without any, ``invented`` is left out.
    """
    by = (None,) * unnamed + policy.authors[:20] if authors else (None,)
    drawn = policy.sample(
        [Prompt(policy.lang, name, author=author) for name in forms for author in by],
        each,
        allow_identical_rhyme=allow_identical_rhyme,
        top_p=top_p,
    )
    told = measure(drawn.prompts, drawn.texts)
    ends = [poem_facts(prompt, text).end_words for prompt, text in zip(drawn.prompts, drawn.texts, strict=True)]
    if in_draws:
        rng = random.Random(0)
        draws = ([word for own in rng.sample(ends, min(in_draws, len(ends))) for word in own] for _ in range(N_DRAWS))
        told["distinct_end_words"] = statistics.mean(distinct_share(words) for words in draws)
    if known:
        words = [re.sub(r"^\w{1,2}'", "", word) for own in ends for word in own]
        told["invented"] = sum(word not in known for word in words) / len(words)
    return told


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("policies", nargs="+")
    parser.add_argument("--lang", required=True)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--forms", nargs="+", default=FORMS)
    parser.add_argument("--no_authors", action="store_true", help="one prompt a form, without an author")
    parser.add_argument("--unnamed", type=int, default=5, help="prompts a form without an author, beside 20 with one")
    parser.add_argument("--each", type=int, default=12, help="poems of each prompt (25 a form, or one)")
    parser.add_argument("--in_draws", type=int, default=0, help="count distinct end words in so many poems at a time; 0: in all")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--allow_identical_rhyme", action="store_true", help="let a word rhyme with itself")
    parser.add_argument("--top_p", type=float, default=1.0, help="only the likeliest tokens that make up p")
    args = parser.parse_args(argv)
    known = {word for poem in read_poems([args.corpus]) for line in poem.lines for word in re.findall(r"\w+", line.lower())}
    for source in args.policies:
        policy = CausalPolicy.load(source, seed=args.seed, lang=args.lang)
        options = {
            "forms": args.forms,
            "authors": not args.no_authors,
            "unnamed": args.unnamed,
            "in_draws": args.in_draws,
            "each": args.each,
            "allow_identical_rhyme": args.allow_identical_rhyme,
            "known": known,
            "top_p": args.top_p,
        }
        sys.stdout.write(json.dumps({"policy": source, **figures(policy, **options)}) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
