"""Lines that end in a given word, by a policy that settles the last word of a line first."""

from __future__ import annotations

from collections.abc import Sequence

from policies.decoding.sampler import Decoding, sample_tokens
from policies.formats.codec import VerseCodec
from policies.formats.planned import PlannedCodec
from policies.writer import Writer
from rlpoet.text import split_poem
from rlpoet.types import Prompt


def lines_ending(policy: Writer, prompts: Sequence[Prompt], words: Sequence[str]) -> list[str]:
    """The next line of each prompt, drawn at temperature 1 after its plan and ``words``; empty if the draw gave no line.

    Args:
        prompts: the opening of each holds the lines before.
        words: the last word of each line, with the punctuation that follows it.
    """
    codec = policy.codec
    assert isinstance(codec, VerseCodec | PlannedCodec)  # seen to by the caller
    forced, grammar = codec.begin_lines(prompts, words, policy.model.config.vocab_size)
    starts = [policy.start_ids(prompt) for prompt in prompts]
    begun = [[*start, *ids] for start, ids in zip(starts, forced, strict=True)]
    new = sample_tokens(
        policy.model, begun, Decoding(max_new_tokens=codec.line_room), end=codec.end, pad=codec.pad,
        generator=policy.generator, dtype=policy.precision, grammar=grammar,
    )  # fmt: skip
    lines = []
    for prompt, ids, tokens in zip(prompts, begun, new, strict=True):
        stop = next((i for i, token in enumerate(tokens) if codec.ends_line(token)), None)
        written = [] if stop is None else split_poem(policy.read([*ids, *tokens[:stop]]))
        lines.append(written[len(prompt.opening)] if len(written) == len(prompt.opening) + 1 else "")
    return lines
