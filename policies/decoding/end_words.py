"""Lines that end in a given word, by a policy that writes each line from its end."""

from __future__ import annotations

from collections.abc import Sequence

from policies.decoding.sampler import Decoding, sample_tokens
from policies.writer import Writer
from rlpoet.text import split_poem
from rlpoet.types import Prompt


def lines_ending(policy: Writer, prompts: Sequence[Prompt], words: Sequence[str]) -> list[str]:
    """The next line of each prompt, drawn at temperature 1 after its tail mark and ``words``; empty if the draw gave no line.

    Args:
        prompts: the opening of each holds the lines before.
        words: the last word of each line, with the punctuation that follows it.
    """
    codec = policy.codec
    limits = [codec.rest(prompt, "\n".join([*prompt.opening, word])) for prompt, word in zip(prompts, words, strict=True)]
    forced = [ids[:-1] for ids in codec.many_ids(limits)]  # less END
    starts = [policy.start_ids(prompt) for prompt in prompts]
    grammar = codec.grammar(prompts, policy.model.config.vocab_size)
    n_marks = int(getattr(policy.format, "plans", False))
    for place in range(n_marks + 1):  # after the mark of the tail and the first piece the grammar is inside the line
        grammar.advance([ids[place] for ids in forced])
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
