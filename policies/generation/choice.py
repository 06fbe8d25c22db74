"""Which of several accepted poems is shown."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import torch

from policies.causal_lm import CausalPolicy
from policies.generation.rejection import Draft
from rlpoet.evaluation.score import ScoredPoem
from rlpoet.rollout import Policy

Option = tuple[ScoredPoem, Draft]


def chosen(policy: Policy | CausalPolicy, options: Sequence[Option], theme: Sequence[str] = ()) -> Option:
    """The poem that stands best in two orders: by its rewards, and by its bits per character under the policy.

    The policy's own bits tell sense from nonsense better than any reward here: among English poems that keep their form they agree with
    those of a language model forty times as large (``experiments/LOG.md``). Places in the two orders are added, since bits and rewards
    have no common unit. Drafts that were not accepted, and those of a policy that is no causal language model, are ordered by rewards
    alone.

    Args:
        options: one or more poems, each as scored and as drawn.
        theme: words that the poem should hold.
    """
    scores = [selection_score(poem, theme) for poem, _ in options]
    if len(options) == 1 or not isinstance(policy, CausalPolicy) or not all(draft.perfect for _, draft in options):
        return options[scores.index(max(scores))]
    bits = bits_per_char(policy, [draft for _, draft in options])
    places = [sum(other < score for other in scores) + sum(other > own for other in bits) for score, own in zip(scores, bits, strict=True)]
    return options[places.index(max(places))]


def bits_per_char(policy: CausalPolicy, drafts: Sequence[Draft]) -> list[float]:
    """Bits that each draft cost the policy per character, opening lines given; marks are charged too."""
    with torch.no_grad():
        nats = -policy.log_prob(policy.write([draft.prompt for draft in drafts], [draft.text for draft in drafts])).sum(1)
    written = [len(draft.text) - len("\n".join(draft.prompt.opening)) for draft in drafts]
    return [value / math.log(2) / max(1, length) for value, length in zip(nats.tolist(), written, strict=True)]


def selection_score(poem: ScoredPoem, theme: Sequence[str] = ()) -> float:
    """The mean of a poem's rewards, and of the share of theme words it holds if there are any."""
    scores = [score for score in poem.scores.values() if score is not None]
    if theme:
        words = set(re.findall(r"\w+", " ".join(poem.lines).casefold()))
        scores.append(sum(set(re.findall(r"\w+", word.casefold())) <= words for word in theme) / len(theme))
    return sum(scores) / len(scores) if scores else 0.0
