"""Rejection sampling: draw poems until one keeps its form.

A poem that is not accepted is drawn again as a whole, so that accepted poems follow the policy's own distribution over the poems that
keep their form (von Neumann 1951): nothing is masked. One accepted poem for each that is wanted is a sample of that distribution; of
several (``best_of``) the caller chooses. Poems are drawn in batches but used in order, as if one at a time, so the size of a batch changes
no probability.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rlpoet import registry
from rlpoet.analysis.lexicon import known, unknown_words, words
from rlpoet.prosody.ending import end_of
from rlpoet.prosody.fit import form_and_lines
from rlpoet.protocols import Reward
from rlpoet.text import unclosed
from rlpoet.types import Prompt

BATCH = 64  # most poems drawn at once
FIRST_GUESS = 0.4  # share accepted, before anything is known of it
SPARE = 3  # poems drawn beyond what the share asks for: in a batch they cost little, another batch costs much
MAX_DRAWS = 64  # by default, per poem
CHOICE, SETTLE, SHORT = 24, 64, 4  # by default: accepted poems to choose from, draws after which one is enough, lines of forms that choose


@dataclass(frozen=True)
class Draft:
    """A poem as drawn.

    Attributes:
        credit: for rhyme plus that for meter, each in [0, 1].
        unknown: words that are in no lexicon.
        perfect: whether every pair rhymes, every line is in meter, every word is known, and quotes and brackets are closed; what was given
            does not count.
    """

    prompt: Prompt
    text: str
    credit: float
    unknown: tuple[str, ...]
    perfect: bool


@dataclass(frozen=True)
class Sampled:
    """What rejection sampling brought.

    Attributes:
        drafts: one list per poem: its draws in order, an accepted one last unless it was given up.
    """

    drafts: tuple[tuple[Draft, ...], ...]

    @property
    def draws(self) -> int:
        return sum(map(len, self.drafts))

    @property
    def accepted(self) -> int:
        return sum(draft.perfect for drafts in self.drafts for draft in drafts)


class FormJudge:
    """Whether a poem keeps its form, by the rewards ``rhyme`` and ``meter`` at their defaults, by the lexicon and by its punctuation.

    Lines that were given are not held against the policy, nor are words that were given. A poem that begins with a line whose last word
    is in no lexicon is heard with the best guess of it, since otherwise nothing could rhyme with that line.

    Args:
        n_given: number of whole lines that were given.
        given: all text that was given; its words count as known.
        allow_unknown: whether words may be in no lexicon. A last word in no lexicon still rhymes with nothing, as the reward says.
    """

    def __init__(self, *, n_given: int = 0, given: str = "", allow_unknown: bool = False) -> None:
        self.n_given, self.given, self.allow_unknown = n_given, given, allow_unknown
        self._rhyme, self._meter = (registry.load("rlpoet.rewards", name) for name in ("rhyme", "meter"))

    def __call__(self, prompt: Prompt, text: str) -> Draft:
        """A poem with what it lacks."""
        _, lines, complete = form_and_lines(prompt, text)
        ends = [end_of(line, prompt.lang) for line in prompt.opening]
        known_only = all(end.known and known(end.word, prompt.lang) for end in ends)
        shares = [self._credit(reward, prompt, text) if complete else 0.0 for reward in (self._rhyme(known_only=known_only), self._meter())]
        unknown = self.unknown("\n".join(lines[self.n_given :]), prompt.lang)
        sound = not unclosed("\n".join(lines)) or bool(unclosed(self.given))  # a poem may leave open what it was given open
        return Draft(prompt, text, sum(shares), unknown, complete and min(shares) == 1.0 and sound and (self.allow_unknown or not unknown))

    def unknown(self, text: str, lang: str) -> tuple[str, ...]:
        """Words in no lexicon that were not given."""
        given = set(words(self.given, lang))
        return tuple(word for word in unknown_words(text, lang) if word not in given)

    def _credit(self, reward: Reward, prompt: Prompt, text: str) -> float:
        """Mean credit of the lines that were not given; 1 if the form asks nothing of them."""
        if not self.n_given:  # without the reasons this is faster
            (score,) = reward.score([prompt], [text])
            return 1.0 if score is None else score
        rows = [row.score for row in reward.explain(prompt, text).lines[self.n_given :] if row.score is not None]
        return sum(rows) / len(rows) if rows else 1.0


def sample_accepted(
    draw: Callable[[int], Sequence[tuple[Prompt, str]]],
    judge: Callable[[Prompt, str], Draft],
    n: int,
    *,
    max_draws: int,
    best_of: int = 1,
    settle: int | None = None,
    tick: Callable[[int], object] = lambda done: None,
) -> Sampled:
    """Draw ``n`` poems, each until it is accepted as often as is wanted.

    The first batch is sized by ``FIRST_GUESS``, the others by the share accepted so far.

    Args:
        draw: draws so many poems at once.
        judge: says whether one is accepted.
        max_draws: draws after which no more are made for a poem.
        best_of: accepted draws wanted per poem.
        settle: draws of a poem after which one accepted draw is enough; by default none are.
        tick: called with the number of poems that are done, after each batch.
    """
    done: list[tuple[Draft, ...]] = []
    current: list[Draft] = []
    used = accepted = 0
    while len(done) < n:
        share = (accepted + FIRST_GUESS) / (used + 1)
        room = (n - len(done)) * max_draws - len(current)
        wanted = (n - len(done)) * best_of - sum(draft.perfect for draft in current)
        for prompt, text in draw(min(BATCH, room, math.ceil(wanted / share) + SPARE)):
            current.append(judge(prompt, text))
            used, accepted = used + 1, accepted + current[-1].perfect
            kept = sum(draft.perfect for draft in current)
            if len(current) == max_draws or kept == best_of or (kept and settle is not None and len(current) >= settle):
                done.append(tuple(current))
                current = []
            if len(done) == n:
                break
        tick(len(done))
    return Sampled(tuple(done))


def candidates(drafts: Sequence[Draft], n: int) -> list[Draft]:
    """The accepted drafts of a poem; if there is none, the ``n`` nearest to it, by their credit and then by their unknown words."""
    accepted = [draft for draft in drafts if draft.perfect]
    return accepted or sorted(drafts, key=lambda draft: (-draft.credit, len(draft.unknown)))[:n]
