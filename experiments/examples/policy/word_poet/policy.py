"""A policy that writes word by word: the smallest thing that keeps the contract of ``rlpoet.rollout.Policy``."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.prosody.forms import form
from rlpoet.registry import name_class
from rlpoet.rollout import Rollout
from rlpoet.text import split_poem
from rlpoet.types import Prompt
from word_poet.model import WordGRU
from word_poet.words import WORDS

PAD, END, BREAK, UNKNOWN = range(4)  # END also begins a poem; UNKNOWN stands for a word of an opening that it cannot write
N_MARKS = 4
LONGEST = 8  # words of a line
FIRST, INSIDE, FULL = 0, 1, 2  # before the first word of a line; after some; when it may have no more


class WordPolicy:
    """A GRU over the words of one language.

    A line has between one word and ``LONGEST``. A break follows each line but the last, and END the last. These rules are part of the
    distribution: ``sample`` and ``log_prob`` take them from the same table, so that what is weighed is what was drawn.
    """

    name = "word-gru"  # that of its entry point

    def __init__(self, model: WordGRU, lang: str, *, seed: int = 0) -> None:
        self.model, self.lang, self.words = model, lang, WORDS[lang]
        self.authors: tuple[str, ...] = ()
        self.pad = PAD
        self.precision, self.allow_identical_rhyme = torch.float32, False  # it computes in float32, and bans no word
        self.generator = torch.Generator().manual_seed(seed)
        self.ids = {word: number for number, word in enumerate(self.words, N_MARKS)}
        self.banned = _banned(N_MARKS + len(self.words))

    # -- files ------------------------------------------------------------------------------------

    @classmethod
    def load(cls, source: str | Path, *, seed: int = 0, lang: str | None = None, device: str = "cpu", **hints: Any) -> Self:
        """A folder that ``save`` wrote, or a fresh policy by its language: ``fr``, ``es`` or ``en``."""
        folder = Path(source) / "policy" if (Path(source) / "policy").is_dir() else Path(source)
        settings = folder / "word_poet.json"
        if not settings.exists():
            if str(source) not in WORDS:
                raise UnknownName("word-gru", str(source), WORDS, fix="Or give a folder that it saved.")
            return cls(WordGRU(N_MARKS + len(WORDS[str(source)])).to(device), str(source), seed=seed)
        lang = json.loads(settings.read_text(encoding="utf-8"))["lang"]
        model = WordGRU(N_MARKS + len(WORDS[lang]))
        model.load_state_dict(torch.load(folder / "weights.pt", map_location="cpu", weights_only=True))
        return cls(model.to(device), lang, seed=seed)

    def save(self, folder: str | Path) -> None:
        """Weights and language, and the name of the class, by which ``rlpoet.load_policy`` finds it again."""
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        torch.save(self.model.state_dict(), path / "weights.pt")
        (path / "word_poet.json").write_text(json.dumps({"lang": self.lang}) + "\n", encoding="utf-8")
        name_class(path, self.name)

    def reference(self) -> Self:
        """A frozen copy, with a generator of its own."""
        return type(self)(copy.deepcopy(self.model).eval().requires_grad_(False), self.lang)

    # -- writing ----------------------------------------------------------------------------------

    @torch.no_grad()
    def sample(
        self,
        prompts: Sequence[Prompt],
        n: int = 1,
        *,
        temperature: float = 1.0,
        top_p: float = 1.0,
        max_new_tokens: int = 0,
        **decoding: Any,
    ) -> Rollout:
        """``n`` poems per prompt, those of one prompt side by side.

        Raises:
            RlpoetError: an option of decoding that it does not have.
        """
        if decoding:
            raise RlpoetError(f"{next(iter(decoding))}: {self.name} does not have it; expected temperature, top_p or max_new_tokens.")
        asked = [prompt for prompt in prompts for _ in range(n)]
        rows = [self._start(prompt) for prompt in asked]
        starts = [len(row) for row in rows]
        going = list(range(len(rows)))
        state = torch.cat([self.model(torch.tensor([row[:-1]]))[1] if row[1:] else self._nothing() for row in rows], 1)
        longest = max_new_tokens or (LONGEST + 1) * max((form(p.form, p.lang).n_lines for p in asked), default=0)
        for _ in range(longest):
            logits, state = self.model(torch.tensor([[rows[row][-1]] for row in going]), state)
            banned = self.banned[torch.tensor([self._place(asked[row], rows[row]) for row in going])]
            logits = logits[:, 0].masked_fill(banned, -torch.inf)
            logits = _nucleus(logits / temperature if temperature else logits.masked_fill(logits < logits.amax(1, True), -torch.inf), top_p)
            for row, token in zip(going, torch.multinomial(logits.softmax(1), 1, generator=self.generator)[:, 0].tolist(), strict=True):
                rows[row].append(token)
            left = [at for at, row in enumerate(going) if rows[row][-1] != END]
            going, state = [going[at] for at in left], state[:, left]
            if not going:
                break
        return self._rollout(asked, rows, starts)

    def write(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> Rollout:
        """Given poems as if the policy had written every line after the opening.

        Raises:
            RlpoetError: a word that it does not have.
        """
        rows, starts = [], []
        for prompt, text in zip(prompts, texts, strict=True):
            row = self._start(prompt)
            starts.append(len(row))
            for line in split_poem(text)[len(prompt.opening) :]:
                row += [*map(self._known, line.split()), BREAK]
            row[-1] = END
            rows.append(row)
        return self._rollout(list(prompts), rows, starts)

    def log_prob(self, rollout: Rollout) -> Tensor:
        """Log-probability of each drawn token under the rules of the lines, ``(B, S)``, nats, 0 elsewhere."""
        ids, chosen = rollout.ids, rollout.chosen[:, 1:]
        logits, _ = self.model(ids[:, :-1])  # (B, S - 1, V)
        places = torch.zeros(chosen.shape, dtype=torch.long)
        for row, (prompt, own) in enumerate(zip(rollout.prompts, ids.tolist(), strict=True)):
            for at in chosen[row].nonzero()[:, 0].tolist():
                places[row, at] = self._place(prompt, own[: at + 1])
        log_p = logits.masked_fill(self.banned[places], -torch.inf).log_softmax(-1)
        own = log_p.gather(2, ids[:, 1:, None])[:, :, 0]
        return torch.nn.functional.pad(torch.where(chosen, own, torch.zeros_like(own)), (1, 0))

    # -- tokens -----------------------------------------------------------------------------------

    def _start(self, prompt: Prompt) -> list[int]:
        lines = [[*(self.ids.get(word, UNKNOWN) for word in line.split()), BREAK] for line in prompt.opening]
        return [END, *(token for line in lines for token in line)]

    def _known(self, word: str) -> int:
        if word not in self.ids:
            raise RlpoetError(f"{word!r}: {self.name} does not have this word; expected one of its {len(self.words)}. Leave the poem out.")
        return self.ids[word]

    def _nothing(self) -> Tensor:
        return torch.zeros(1, 1, self.model.config.hidden_size)

    def _place(self, prompt: Prompt, ids: Sequence[int]) -> int:
        """Row of ``banned`` for the token after ``ids``, END at the beginning included."""
        n_lines, n_words = 0, 0
        for token in ids[1:]:
            n_lines, n_words = (n_lines + 1, 0) if token == BREAK else (n_lines, n_words + 1)
        last = n_lines + 1 == form(prompt.form, prompt.lang).n_lines
        return 3 * last + (FIRST if not n_words else FULL if n_words >= LONGEST else INSIDE)

    def _rollout(self, prompts: list[Prompt], rows: Sequence[Sequence[int]], starts: Sequence[int]) -> Rollout:
        width = max(map(len, rows), default=0)
        ids = torch.full((len(rows), width), PAD)
        chosen = torch.zeros((len(rows), width), dtype=torch.bool)
        n_lines = max((sum(token in (END, BREAK) for token in row[start:]) for row, start in zip(rows, starts, strict=True)), default=0)
        line_ends, end_words = (torch.full((len(rows), n_lines), -1) for _ in range(2))
        texts = []
        for number, (prompt, row, start) in enumerate(zip(prompts, rows, starts, strict=True)):
            ids[number, : len(row)] = torch.tensor(row)
            chosen[number, start : len(row)] = True
            breaks = [at for at in range(start, len(row)) if row[at] in (END, BREAK)]
            last_words = torch.tensor([at - 1 for at in breaks], dtype=torch.long)
            line_ends[number, : len(breaks)] = end_words[number, : len(breaks)] = last_words
            cuts = [start, *(at + 1 for at in breaks), len(row)]
            lines = [row[a:b] for a, b in pairwise(cuts)]
            written = [" ".join(self.words[token - N_MARKS] for token in line if token >= N_MARKS) for line in lines]
            texts.append("\n".join([*prompt.opening, *filter(None, written)]))
        ended = torch.tensor([row[-1] == END and len(row) > start for row, start in zip(rows, starts, strict=True)], dtype=torch.bool)
        return Rollout(tuple(prompts), tuple(texts), ids, chosen, ended, line_ends, end_words)


def _banned(n: int) -> Tensor:
    """What cannot come next, ``(6, V)`` bool: at the three places of a line, first of a line that is not the last, then of the last."""
    banned = torch.zeros((6, n), dtype=torch.bool)
    banned[:, [PAD, END, BREAK, UNKNOWN]] = True
    for last, ender in enumerate((BREAK, END)):
        banned[3 * last + INSIDE, ender] = False
        banned[3 * last + FULL] = True
        banned[3 * last + FULL, ender] = False
    return banned


def _nucleus(logits: Tensor, top_p: float) -> Tensor:
    """Only the likeliest tokens that make up ``top_p``, ``(B, V)``."""
    if top_p >= 1:
        return logits
    p, order = logits.softmax(1).sort(1, descending=True)
    beyond = (p.cumsum(1) - p) >= top_p
    return logits.masked_fill(torch.zeros_like(beyond).scatter(1, order, beyond), -torch.inf)
