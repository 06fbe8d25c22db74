"""Where lines miscount, and who answers for it."""

from __future__ import annotations

import pytest
import torch
from tiny_policy import tiny_policy

from policies.causal_lm import CausalPolicy
from rlpoet.prosody.forms import form
from rlpoet.prosody.meter import in_meter
from rlpoet.rollout import Rollout
from rlpoet.text import split_poem
from rlpoet.training.gflownet.credit import localized
from rlpoet.types import Prompt

TWELVE = "Souvent, pour s'amuser, les hommes d'équipage"
ELEVEN = "Souvent, pour s'amuser, l'homme d'équipage"  # Sou-vent-pour-s'a-mu-ser-l'hom-me-d'é-qui-page
QUATRAIN = Prompt("fr", "quatrain-abab")
OTHERS = ("Prennent des albatros, vastes oiseaux des mers,",) * 3


def spelt(policy: CausalPolicy, rollout: Rollout, wrong: torch.Tensor, line: int) -> str:
    begin, end = int(rollout.sounds[0, line]) + 1, int(rollout.line_ends[0, line]) + 1
    tokens = policy.tokenizer.convert_ids_to_tokens(rollout.ids[0, begin:end].tolist())
    return "".join(t for t, w in zip(tokens, wrong[0, begin:end].tolist(), strict=True) if w)


def test_a_line_in_its_length_has_no_slip():
    policy = tiny_policy(countdown=2)
    rollout = policy.write([QUATRAIN], ["\n".join([TWELVE, *OTHERS])])
    assert not policy.meter_error_spans(rollout, [(0, n) for n in range(4)]).any()


def test_the_slip_of_a_line_is_where_its_counts_and_its_words_part():
    policy = tiny_policy(countdown=2)
    rollout = policy.write([QUATRAIN], ["\n".join([ELEVEN, *OTHERS])])  # counts of eleven: what is before the first is one short of twelve
    begin, end = int(rollout.sounds[0, 0]) + 1, int(rollout.line_ends[0, 0]) + 1
    tokens = policy.tokenizer.convert_ids_to_tokens(rollout.ids[0, begin:end].tolist())
    first = next(i for i, token in enumerate(tokens) if token.startswith("<|"))
    wrong = policy.meter_error_spans(rollout, [(0, 0)])
    assert wrong[0, begin : begin + first + 1].all() and wrong.sum() == first + 1
    # counts of twelve up to the last of them move the slip to what follows it
    one_more = {
        policy.tokenizer.convert_tokens_to_ids(f"<|{n}|>"): policy.tokenizer.convert_tokens_to_ids(f"<|{n + 1}|>") for n in range(1, 12)
    }
    for at in range(begin, end):
        rollout.ids[0, at] = one_more.get(int(rollout.ids[0, at]), int(rollout.ids[0, at]))
    wrong = policy.meter_error_spans(rollout, [(0, 0)])
    last = begin + max(i for i, token in enumerate(tokens) if token.startswith("<|"))
    assert wrong[0, last + 1 : end].all() and wrong.sum() == end - last - 1


@pytest.mark.parametrize("lang", ["fr", "es"])
def test_nearly_every_line_of_a_wrong_length_shows_a_slip_and_no_other_does(lang):
    policy = CausalPolicy.load(lang, seed=0)
    rollout = policy.sample([Prompt(lang, "quatrain-abab")], 48)
    meters = form("quatrain-abab", lang).meters
    bad, good = [], []
    for row, text in enumerate(rollout.texts):
        for n, line in enumerate(split_poem(text)):
            (good if in_meter(line, lang, meters[n]) else bad).append((row, n))
    wrong = policy.meter_error_spans(rollout, bad)
    shown = sum(bool(wrong[row, rollout.sounds[row, n] : rollout.line_ends[row, n] + 1].any()) for row, n in bad)
    assert len(bad) > 5 and shown >= 0.7 * len(bad)
    assert not policy.meter_error_spans(rollout, good).any()


def test_policies_that_do_not_count_show_nothing():
    policy = tiny_policy()
    assert policy.meter_error_spans(policy.write([QUATRAIN], ["\n".join([ELEVEN, *OTHERS])]), [(0, 0)]) is None


def test_tokens_outside_a_slip_are_credited_with_the_line_that_might_have_been():
    # one line of a word (part 0) and a rest (part 1) of three tokens; the second row's line slipped on its last token
    part_of = torch.tensor([[0, 1, 1, 1]] * 2)
    nowhere = torch.full((2, 1), 3)
    rollout = Rollout((QUATRAIN,) * 2, ("", ""), part_of, torch.ones(2, 4, dtype=torch.bool), torch.ones(2).bool(), nowhere, nowhere)
    wrong = torch.tensor([[False] * 4, [False, False, False, True]])
    asked: list[tuple[int, int]] = []

    def meter_error_spans(lines):
        asked.extend(lines)
        return wrong

    group = torch.full((2,), 3)  # numbers before it are nobody's
    given = localized(rollout, torch.tensor([[0.1], [0.0]]), part_of, group, meter_error_spans)
    assert asked == [(1, 0)]
    mean = 2 * 0.1 / 6  # two of six tokens of rests are spared a tenth
    assert given.tolist() == [pytest.approx([0.0, -mean, -mean, -mean]), pytest.approx([0.0, 0.1 - mean, 0.1 - mean, -mean])]
    assert given.sum().item() == pytest.approx(0.0, abs=1e-7)
    assert not localized(rollout, torch.tensor([[0.1], [0.1]]), part_of, group, meter_error_spans).any()
    assert not localized(rollout, torch.tensor([[0.1], [0.0]]), part_of, group, lambda lines: None).any()
