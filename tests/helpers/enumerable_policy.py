"""Languages that can be written down whole, and policies over them with a free distribution at every beginning.

A text is a couplet. Its lines have a plan token that names a sound, the last word, and a rest of one token or two; each token is 0 or 1.
Under the masks a line that would end in 1 1 ends in 1 0. The masked prior also gives a part of every place to a piece that
is never drawn, another part at each. The probabilities of all texts can be summed, so that what a trainer settles at is known exactly.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, Self

import torch
from torch import Tensor, nn
from trainers import make

from rlpoet.rollout import RhymingWords, Rollout
from rlpoet.training.trainer import Trainer
from rlpoet.types import Prompt

PROMPT = Prompt("fr", "couplet")
STRAY, START, LIST, PAD, VOCAB = 2, 3, 4, 5, 6  # never drawn: a piece with probability, then the starts of a text and of a list of words
NEVER = -30.0  # logit of what has no probability even without masks
GAIN = 20.0  # of states: a step of Adam moves a logit by so many learning rates, and a learned flow by ten
BARRED = torch.tensor([[False, False, True, True, True, True], [False, True, True, True, True, True]])  # anywhere; after a 1 in the end

Text = tuple[int, ...]


@dataclass(frozen=True)
class Language:
    """Which texts there are: 36 under the masks and 64 without, or 144 and 256 with a rest of two tokens."""

    rest: int = 1

    @property
    def line(self) -> int:
        """Tokens of a line."""
        return 2 + self.rest

    @property
    def n_states(self) -> int:
        """Beginnings shorter than a text."""
        return int(4**self.line) - 1

    def texts(self, *, masked: bool) -> list[Text]:
        last = (self.line - 1, 2 * self.line - 1)
        whole = itertools.product((0, 1), repeat=2 * self.line)
        return [text for text in whole if not masked or all(text[k - 1 : k + 1] != (1, 1) for k in last)]

    def written(self, texts: Sequence[Text]) -> Rollout:
        """Texts as a policy draws them. A word answers for the token after it, so it is told to end a token early; a line likewise."""
        ids = torch.tensor([(START, *text) for text in texts])
        chosen = torch.ones_like(ids, dtype=torch.bool)
        chosen[:, 0] = False
        places = [torch.tensor((at, self.line + at)).expand(len(texts), 2) for at in (self.line - 1, 1, 1)]
        spelt = tuple(map(self.spelling, texts))
        return Rollout((PROMPT,) * len(texts), spelt, ids, chosen, torch.ones(len(texts), dtype=torch.bool), *places)

    def masked(self, rollout: Rollout) -> Rollout:
        """A batch of texts with the masks of the language."""
        mask_of = torch.zeros(rollout.ids.shape, dtype=torch.long)
        for place in (self.line, 2 * self.line):
            mask_of[:, place] = (rollout.ids[:, place - 1] == 1).long()
        return replace(rollout, token_masks=BARRED, mask_of=mask_of)

    def lines(self, text: Text) -> tuple[Text, Text]:
        return text[: self.line], text[self.line :]

    def spelling(self, text: Text) -> str:
        """Two lines, each with its word in the end."""
        return "\n".join("".join(map(str, (plan, *rest))) + f" {word}" for plan, word, *rest in self.lines(text))


class States(nn.Module):
    """The "last hidden state" after each token is a vector of the beginning's own. In a list of words each follows a plan token alone."""

    def __init__(self, language: Language) -> None:
        super().__init__()
        self.language = language
        self.vectors = GAIN * torch.eye(language.n_states, dtype=torch.float64)

    def forward(self, input_ids: Tensor, **_: Any) -> Any:
        n, length = input_ids.shape[1], 2 * self.language.line
        place = torch.arange(n)
        bits = input_ids[:, 1:].clamp_max(1)
        code = torch.zeros(input_ids.shape, dtype=torch.long)
        for k in range(1, min(n, length)):
            code[:, k] = 2 * code[:, k - 1] + bits[:, k - 1]
        first = 2 ** place.clamp_max(length) - 1  # number of the first beginning of each length
        state = (first + code).masked_fill(place >= length, 0)  # nothing follows a whole text
        listed = input_ids[:, 0] == LIST
        if listed.any():
            plan = 1 + 3 * ((place - 1).clamp_min(0) // 3)
            state[listed] = 1 + input_ids[listed][:, plan]
        return SimpleNamespace(last_hidden_state=self.vectors[state])


class Table(nn.Module):
    """A language model whose head is a table: the logits after each beginning."""

    def __init__(self, language: Language, logits: Tensor) -> None:
        super().__init__()
        self.config = SimpleNamespace(
            hidden_size=language.n_states, vocab_size=VOCAB, get_text_config=lambda: SimpleNamespace(hidden_size=language.n_states)
        )
        self.base_model = States(language)
        self.head = nn.Linear(language.n_states, VOCAB, bias=False, dtype=torch.float64)
        self.head.weight.data = logits.T.contiguous() / GAIN

    def get_output_embeddings(self) -> nn.Linear:
        return self.head

    def forward(self, input_ids: Tensor, **_: Any) -> Any:
        return SimpleNamespace(logits=self.head(self.base_model(input_ids).last_hidden_state))


@dataclass
class EnumerablePolicy:
    """Draws evenly: a text of probability p stands ``n p`` times among n texts, rounded up or down at random, right in the mean."""

    model: Any
    language: Language
    masks: bool
    generator: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(0))
    pad: int = PAD
    lang: str = "fr"
    authors: tuple[str, ...] = ()
    precision: torch.dtype = torch.float64
    allow_identical_rhyme: bool = True

    def __post_init__(self) -> None:
        every = self.language.written(self.language.texts(masked=self.masks))
        self.every = self.language.masked(every) if self.masks else every

    def log_p(self) -> Tensor:
        """Of all texts that can be drawn, as they are drawn, ``(N,)``, nats."""
        with torch.no_grad():
            return EnumerablePolicy.log_prob(self, self.every).sum(1)

    def sample(self, prompts: Sequence[Prompt], n: int = 1, *, temperature: float = 1.0, **decoding: Any) -> Rollout:
        assert list(prompts) == [PROMPT]
        share = (self.log_p() / temperature).softmax(0)
        marks = (torch.arange(n, dtype=torch.float64) + torch.rand(1, dtype=torch.float64, generator=self.generator)) / n
        rows = torch.searchsorted(share.cumsum(0), marks).clamp_max(len(share) - 1)
        return replace(self.every.rows(rows.tolist()), token_masks=None, mask_of=None)

    def log_prob(self, rollout: Rollout) -> Tensor:
        logits = self.model(rollout.ids[:, :-1]).logits
        if rollout.token_masks is not None and rollout.mask_of is not None:
            logits = logits.masked_fill(rollout.token_masks[rollout.mask_of[:, 1:]], -1e9)
        log_p = logits.log_softmax(-1).gather(2, rollout.ids[:, 1:, None]).squeeze(2)
        return nn.functional.pad(log_p, (1, 0)).masked_fill(~rollout.chosen, 0.0)

    def reference(self) -> Self:
        return replace(self, model=copy.deepcopy(self.model).requires_grad_(False), generator=torch.Generator())

    def meter_error_spans(self, rollout: Rollout, lines: Sequence[tuple[int, int]]) -> Tensor:
        """A first token of a rest of two that is too much for the word; else the last token."""
        wrong, size = torch.zeros_like(rollout.chosen), self.language.line
        for row, n in lines:
            too_much = rollout.ids[row, n * size + 2] == 0 and rollout.ids[row, n * size + 3] == 1
            wrong[row, n * size + (3 if too_much else size)] = True
        return wrong

    def rhyming_words(self, sounds: Sequence[Sequence[int]], n: int) -> RhymingWords:
        """Two words after each sound, from the very beginnings that first lines have: the two tasks share all they can."""
        plans = torch.tensor([row for row in sounds for _ in range(n)])  # (B, 8)
        with torch.no_grad():
            logits = self.model(torch.tensor([[START, 0], [START, 1]])).logits[:, 1].masked_fill(BARRED[0], -1e9)
        drawn = torch.multinomial(logits.softmax(-1)[plans.flatten()], 2, replacement=True, generator=self.generator).view(*plans.shape, 2)
        ids = torch.cat([torch.full((len(plans), 1), LIST), torch.cat([plans[:, :, None], drawn], 2).flatten(1)], 1)
        place = torch.arange(ids.shape[1])
        is_word = (place % 3 != 1) & (place > 0)
        nothing = torch.full((len(ids), 0), -1)
        rollout = Rollout(
            (PROMPT,) * len(ids), ("",) * len(ids), ids, is_word.expand(ids.shape), torch.ones(len(ids), dtype=torch.bool), nothing,
            nothing, token_masks=BARRED, mask_of=torch.zeros(ids.shape, dtype=torch.long),
        )  # fmt: skip
        right = (drawn == plans[:, :, None]).flatten(1)
        return RhymingWords(rollout, (is_word.cumsum(0) - 1).clamp_min(0).expand(ids.shape), right, torch.ones_like(right))


class MaskedPolicy(EnumerablePolicy):
    """One that tells what it could not draw."""

    def masked(self, rollout: Rollout) -> Rollout:
        return self.language.masked(rollout)


class UnmaskedWeights(MaskedPolicy):
    """The mistake: it draws under masks, and its log-probabilities are the model's without them."""

    def log_prob(self, rollout: Rollout) -> Tensor:
        return super().log_prob(replace(rollout, token_masks=None, mask_of=None))


def prior_logits(language: Language, *, masked: bool) -> Tensor:
    """Logits after each beginning, ``(n_states, VOCAB)``: words mostly have the sound of their plan token; masked, it leaks at random."""
    noise = torch.Generator().manual_seed(3)
    logits = torch.full((language.n_states, VOCAB), NEVER, dtype=torch.float64)
    logits[:, :2] = 0.7 * torch.randn(language.n_states, 2, dtype=torch.float64, generator=noise)
    for depth in (1, language.line + 1):
        after_plan = torch.arange(2**depth - 1, 2 ** (depth + 1) - 1)
        logits[after_plan, (after_plan + 1) % 2] += 1.0
    if masked:
        logits[:, STRAY] = 1.5 * torch.randn(language.n_states, dtype=torch.float64, generator=noise)
    return logits


# -- a run ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scored:
    total: tuple[float, ...]
    parts: dict[str, tuple[float, ...]]


class RhymeAndMeter:
    """Half for words that are alike, paid with the second; a quarter for each line whose rest sums to its word."""

    def __init__(self, language: Language) -> None:
        self.known = {language.spelling(text): self._by_part(language.lines(text)) for text in language.texts(masked=False)}

    @staticmethod
    def _by_part(lines: tuple[Text, Text]) -> tuple[list[float], list[float]]:
        return [0.0, 0.5 * (lines[0][1] == lines[1][1])], [0.25 * (sum(line[2:]) == line[1]) for line in lines]

    def __call__(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> Scored:
        return Scored(tuple(sum(map(sum, self.known[text])) for text in texts), {})

    def by_part(self, prompt: Prompt, text: str) -> tuple[list[float], list[float]]:
        return self.known[text]

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        return [word + rest for word, rest in zip(*self.known[text], strict=True)]


def distance(log_p: Tensor, log_q: Tensor) -> float:
    """Total variation."""
    return 0.5 * (log_p.exp() - log_q.exp()).abs().sum().item()


BETA = 3.0
NEAR = 0.02  # total variation of what has reached its target
USUAL: dict[str, Any] = {
    "prompts_per_step": 1, "group_size": 64, "beta": BETA, "beta_warmup": 0.0, "warmup": 0.0, "learning_rate": 2e-3, "clip": 1e9,
    "freeze_embeddings": False,
}  # fmt: skip


def opened(language: Language, *, masks: bool, kind: type[EnumerablePolicy] | None = None) -> EnumerablePolicy:
    return (kind or (MaskedPolicy if masks else EnumerablePolicy))(Table(language, prior_logits(language, masked=masks)), language, masks)


def settled(kind: type[Trainer], policy: EnumerablePolicy, steps: int, **options: Any) -> float:
    """Total variation from the target after a whole run; the prior is far from it."""
    score = RhymeAndMeter(policy.language)
    rewards = torch.tensor(score(policy.every.prompts, policy.every.texts).total, dtype=torch.float64)
    prior = policy.log_p()
    target = (prior + BETA * rewards).log_softmax(0)
    assert distance(prior, target) > 0.3
    run = make(kind, policy, score, [PROMPT], **{**USUAL, **options})
    for step in range(steps):
        run.step(step / steps)
    assert all(parameter.dtype == torch.float64 for parameter in policy.model.parameters())
    return distance(policy.log_p(), target)


# -- for trl --------------------------------------------------------------------------------------------


class ShownPolicy(EnumerablePolicy):
    """One that shows its tokens, as trl's trainers ask."""

    end = LIST  # never drawn: a text ends by its length

    @property
    def tokenizer(self) -> Any:
        from tokenizers import Tokenizer, models
        from transformers import PreTrainedTokenizerFast

        words = models.WordLevel({token: n for n, token in enumerate("01?([_")}, unk_token="?")
        return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(words), pad_token="_", eos_token="[")

    def start_ids(self, prompt: Prompt) -> list[int]:
        return [START]

    def continued(self, prompts: Any, tokens: Any) -> Rollout:
        return self.language.written([tuple(row) for row in tokens])


class ShownMaskedPolicy(ShownPolicy, MaskedPolicy):
    """The same under masks."""


def as_transformers(table: Table) -> Any:
    """The same table as a model of transformers, which trl wants."""
    from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel

    class Pretrained(PreTrainedModel, GenerationMixin):
        base_model_prefix = "body"

        def __init__(self) -> None:
            super().__init__(PretrainedConfig(hidden_size=table.head.in_features, vocab_size=table.head.out_features))
            self.body, self.head = table.base_model, table.head

        def get_output_embeddings(self) -> Any:
            return self.head

        def set_output_embeddings(self, head: Any) -> None:
            self.head = head

        forward = Table.forward

    return Pretrained()


def trl_policy(*, masks: bool) -> ShownPolicy:
    policy = opened(Language(), masks=masks, kind=ShownMaskedPolicy if masks else ShownPolicy)
    assert isinstance(policy, ShownPolicy)
    policy.model = as_transformers(policy.model)
    return policy
