"""Locates meter errors: the words between two counts of a line whose syllables disagree with the counts.

A line out of meter mostly has one error of one syllable. The counts show where: ``ombres les<|9|> dans<|8|> ...`` gives *dans* one
syllable.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from policies.formats.codec import VerseCodec
from policies.formats.verse import VerseFormat
from policies.writer import Writer
from rlpoet.prosody.forms import form
from rlpoet.rollout import Rollout
from rlpoet.text import canonical, split_poem


def meter_error_spans(policy: Writer, rollout: Rollout, lines: Sequence[tuple[int, int]]) -> Tensor | None:
    """Tokens between two counts that disagree with the verse module's number of syllables, ``(B, S)`` bool.

    Args:
        lines: row and line, as in ``rollout.line_ends``. A line has no spans if it fits its length, or if its tokens do not spell it
            exactly.

    Returns:
        None for a policy without a countdown, or one that writes lines from their beginning.
    """
    verse_format, codec = policy.format, policy.codec
    if not (isinstance(codec, VerseCodec) and isinstance(verse_format, VerseFormat)):
        return None
    if not verse_format.countdown or verse_format.order != "backward" or rollout.sounds is None:
        return None
    values = {policy.tokenizer.convert_tokens_to_ids(mark): n for n, mark in enumerate(verse_format.counts, 1)}
    mask = torch.zeros(rollout.ids.shape, dtype=torch.bool)
    for row, n in lines:
        prompt = rollout.prompts[row]
        begin, end = int(rollout.sounds[row, n]) + 1, int(rollout.line_ends[row, n]) + 1
        written = split_poem(rollout.texts[row])
        if begin <= 0 or end <= begin or len(prompt.opening) + n >= len(written):
            continue
        target = form(prompt.form, prompt.lang).meters[len(prompt.opening) + n][0]
        left = verse_format.left(canonical(written[len(prompt.opening) + n], prompt.lang), target)
        if left is None:
            continue
        pieces, at, announced, n_units = rollout.ids[row, begin:end].tolist(), 0, target, 0
        spans: list[tuple[int, int, int, int]] = []  # first and last token, units until here, syllables said to be left
        for i, token in enumerate(pieces):
            if token in values or i == len(pieces) - 1:
                text = pieces[at:i] if token in values else pieces[at:]
                n_units += len(policy.tokenizer.decode(text).split())
                spans.append((at, i + 1, n_units, values.get(token, 0)))
                at = i + 1
        if n_units != len(left) - 1:
            continue
        measured = left[0]
        for first, last, units, now in spans:
            if announced - now != measured - left[units]:
                mask[row, begin + first : begin + last] = True
            announced, measured = now, left[units]
    return mask
