"""First lines that begin with given words.

A policy that writes forward continues from the words, one that plans its lines after it has drawn the last word. A policy that
writes each line from its end cannot do that. It draws many first lines instead. Each is cut after every word, and the given words
replace what was cut off. The policy then gives the probability of these words, followed by the end of the line, after the part that
was kept. Lines are drawn in proportion to it: importance sampling of p(line | its first words). Lines of the form's length come
first.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import torch

from policies.causal_lm import CausalPolicy
from policies.decoding.sampler import Decoding, sample_tokens
from policies.formats.planned import PlannedCodec
from rlpoet.errors import RlpoetError
from rlpoet.prosody.forms import form
from rlpoet.prosody.meter import in_meter
from rlpoet.types import Prompt

CANDIDATES = 128
MOST_SCORED = 512


def first_lines(policy: CausalPolicy, prompt: Prompt, words: str, n: int = 1, *, temperature: float = 1.0) -> list[str]:
    """``n`` first lines of a poem that begin with ``words``.

    Args:
        prompt: the prompt of the poem; its opening lines are ignored.
        temperature: of the candidates; below 1 also makes the choice among them sharper.

    Raises:
        RlpoetError: no word in ``words``, or more than a line holds.
    """
    typed = words.split()
    if not any(map(str.isalnum, words)):
        raise RlpoetError(f"prompt {words!r}: no word in it; expected the first words of a poem.")
    poem_form = form(prompt.form, prompt.lang)
    lengths = poem_form.meters[0]
    if in_meter(words, prompt.lang, lengths):
        return [words] * n
    unopened = Prompt(prompt.lang, prompt.form, prompt.author)
    if getattr(policy.format, "order", "forward") != "backward":
        return [_go_on(policy, unopened, words, temperature) for _ in range(n)]
    candidates = policy.sample([unopened], CANDIDATES, temperature=max(temperature, 0.3))
    lines = []
    for text in candidates.texts:
        rest = text.split("\n", 1)[0].split()
        lines += [" ".join([*typed, *rest[cut:]]) for cut in range(1, len(rest))]
    lines = list(dict.fromkeys(lines))
    fitting = [line for line in lines if in_meter(line, prompt.lang, lengths)]
    chosen = (fitting or lines)[:MOST_SCORED]
    if not chosen:
        raise RlpoetError(f"prompt {words!r}: found no line that goes on from it; expected fewer words, or a policy that writes.")
    logits = fit_of_words(policy, prompt, words, chosen) / max(temperature, 0.1)
    picks = torch.multinomial(logits.softmax(0), min(n, len(chosen)), generator=policy.generator).tolist()
    return [chosen[picks[i % len(picks)]] for i in range(n)]


def fit_of_words(policy: CausalPolicy, prompt: Prompt, words: str, lines: Sequence[str]) -> torch.Tensor:
    """Log-probability, ``(len(lines),)``, nats, that ``words`` and then the end follow the rest of each first line."""
    unopened = Prompt(prompt.lang, prompt.form, prompt.author)
    rollout = policy.write([unopened] * len(lines), [f"{line}\n{line}" for line in lines])  # a second line, so that the first one ends
    with torch.no_grad():
        log_p = policy.log_prob(rollout).cpu()
    ends = rollout.line_ends[:, :1]  # (N, 1), the last token of the first line
    place = torch.arange(log_p.shape[1])[None]
    is_text = ~torch.isin(rollout.ids, torch.tensor(list(policy.codec.marks))) & (place <= ends)
    to_come = is_text.flip(1).cumsum(1).flip(1)  # (N, S): pieces of words from here to the end of the line
    return log_p.masked_fill((to_come > policy.codec.n_tokens(words)) | (place > ends + 1), 0.0).sum(1)


def _go_on(policy: CausalPolicy, prompt: Prompt, words: str, temperature: float) -> str:
    """The first line that a forward policy writes after the given words."""
    codec, ids = policy.codec, policy.start_ids(prompt)
    draw = functools.partial(sample_tokens, policy.model, pad=codec.pad, generator=policy.generator)
    if isinstance(codec, PlannedCodec):
        return _planned(codec, policy.model.config.vocab_size, draw, prompt, words, temperature)
    if getattr(policy.format, "plans", False):  # the line names its rhyme before its words
        grammar = codec.grammar([prompt], policy.model.config.vocab_size)
        ids += draw([ids], Decoding(temperature=temperature, max_new_tokens=1), end=codec.end, grammar=grammar)[0]
    ids += codec.many_ids([words])[0]
    rest = draw([ids], Decoding(temperature=temperature, max_new_tokens=codec.line_room), end=codec.end)[0]
    stop = next((i for i, token in enumerate(rest) if codec.ends_line(token)), len(rest))
    return codec.read([*ids, *rest[:stop]]).strip().split("\n")[0]


def _planned(
    codec: PlannedCodec, n_pieces: int, draw: Callable[..., list[list[int]]], prompt: Prompt, words: str, temperature: float
) -> str:
    """As ``_go_on``: first the word in which the line ends, then the given words, then what leads from them to it."""
    grammar = codec.grammar([prompt], n_pieces)
    decoding = Decoding(temperature=temperature, max_new_tokens=codec.line_room)
    ids = codec.start_ids(prompt)
    ids += draw([ids], decoding, end=codec.breaks, grammar=grammar)[0]
    given = codec.many_ids([words])[0]
    for token in given:
        grammar.advance_row(0, token)
    ids += given
    return codec.read([*ids, *draw([ids], decoding, end=codec.breaks, grammar=grammar)[0]]).strip().split("\n")[0]
