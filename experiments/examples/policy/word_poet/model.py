"""A recurrent network over words (Cho et al. 2014), as small as one can be."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor, nn


class WordGRU(nn.Module):
    """The model of the policy. ``config`` and the two tables are what rlpoet asks of any model.

    Args:
        n_words: rows of the tables, marks included.
        width: of the state.
        seed: of the weights.
    """

    def __init__(self, n_words: int, *, width: int = 64, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.embedding = nn.Embedding(n_words, width)
            self.gru = nn.GRU(width, width, batch_first=True)
            self.head = nn.Linear(width, n_words)
        self.config = SimpleNamespace(vocab_size=n_words, hidden_size=width)

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embedding

    def get_output_embeddings(self) -> nn.Linear:
        return self.head

    def forward(self, ids: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits of the next word ``(B, S, V)`` after each of ``ids`` ``(B, S)``, and the last state ``(1, B, H)``."""
        states, last = self.gru(self.embedding(ids), state)
        return self.head(states), last
