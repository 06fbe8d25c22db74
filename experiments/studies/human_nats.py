"""Nats a token of human quatrains under a prior: what a policy's own may be compared with.

    python -m experiments.studies.human_nats --lang fr --data fr.jsonl.gz [--policy fr]

Stanzas of poems held out from pretraining (``--validation``'s share, by a hash of their first lines) that keep a form whole, written out
as the prior would write them, the header given, every other token charged, marks too: as ``prior_nll_per_token`` of a run.
"""

from __future__ import annotations

import argparse
import json
import sys

import torch

from policies.causal_lm import CausalPolicy
from rlpoet.corpus import read_poems, split_poems
from rlpoet.evaluation.form import poem_facts
from rlpoet.types import Prompt

FORMS = ("quatrain-abab", "quatrain-abba")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--lang", required=True)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--policy", default=None, help="the language's prior by default")
    parser.add_argument("--forms", nargs="+", default=FORMS)
    parser.add_argument("--validation", type=float, default=0.03)
    args = parser.parse_args(argv)
    prior = CausalPolicy.load(args.policy or args.lang, lang=args.lang)
    poems = [poem for poem in read_poems(args.data) if poem.rhymed is None or poem.rhymed >= 0.5]
    found = []
    for poem in split_poems(poems, validation=args.validation)[1]:
        for stanza in poem.stanzas:
            for name in args.forms:
                prompt = Prompt(args.lang, name, poem.author if poem.author in prior.authors else None)
                if poem_facts(prompt, text := "\n".join(stanza)).perfect:
                    found.append((prompt, text))
    with torch.no_grad():
        rollout = prior.write([prompt for prompt, _ in found], [text for _, text in found])
        nats = -prior.log_prob(rollout).sum().item()
    sys.stdout.write(json.dumps({"stanzas": len(found), "nats_per_token": nats / max(1, int(rollout.n_tokens.sum()))}) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
