"""What decoding needs of the policy it writes with: the parts of ``CausalPolicy`` that stand below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch

from policies.formats.codec import Codec, Format
from rlpoet.rollout import Rollout
from rlpoet.types import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Writer(Protocol):
    """A causal LM with the tokenizer, the format and the codec of its poems.

    Attributes:
        model: a Hugging Face causal LM.
        precision: dtype of the matrix products in sampling.
        generator: of all draws.
    """

    model: Any
    tokenizer: PreTrainedTokenizerBase
    format: Format
    codec: Codec
    precision: torch.dtype
    generator: torch.Generator

    def start_ids(self, prompt: Prompt) -> list[int]:
        """The tokens a poem of this prompt begins with."""
        ...

    def read(self, ids: Sequence[int]) -> str:
        """The poem a token sequence spells, its opening included; header and marks dropped."""
        ...

    def continued(self, prompts: Sequence[Prompt], tokens: Sequence[Sequence[int]]) -> Rollout:
        """A rollout of token sequences that continue their prompts."""
        ...

    def log_prob(self, rollout: Rollout) -> torch.Tensor:
        """Log-probability of each drawn token at temperature 1, ``(B, S)``, nats, 0 elsewhere."""
        ...
