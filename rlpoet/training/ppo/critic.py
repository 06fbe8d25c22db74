"""PPO's critics, and what is read of a policy that does not tell it: heard at the head of its model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from rlpoet.errors import RlpoetError
from rlpoet.rollout import CopiesItself, Policy, Rollout
from rlpoet.training.common import as_a_whole

ROWS_AT_ONCE = 32  # texts that a critic with a model reads together: distributions over all pieces are made beside the states, ``(N, V)``


class Critic(nn.Module, ABC):
    """Expected return before each token drawn; 0 everywhere at first.

    Attributes:
        out: the last layer.
    """

    out: nn.Linear

    @abstractmethod
    def prepared(self, states: Tensor) -> Tensor:
        """What is kept of the policy's states of a batch, ``(N, H)``, for every pass over it."""

    @abstractmethod
    def values(self, rollout: Rollout, prepared: Tensor, rows: Sequence[int]) -> Tensor:
        """Values of the tokens drawn in some rows of a batch, ``(n,)``, units of reward, on the CPU as all of a rollout is.

        Args:
            rollout: the batch.
            prepared: as ``prepared`` gave it for the whole batch.
            rows: in any order; values come in that of the batch.
        """


class StateCritic(Critic):
    """A small network on the policy's last hidden states, as they were when the batch was drawn. A pass costs next to nothing."""

    def __init__(self, width: int, hidden: int = 64) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.LayerNorm(width, elementwise_affine=False), nn.Linear(width, hidden), nn.GELU())
        self.out = nn.Linear(hidden, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def prepared(self, states: Tensor) -> Tensor:
        """Normalised, which is the same in every pass over them."""
        normalised: Tensor = self.body[0](states)
        return normalised

    def values(self, rollout: Rollout, prepared: Tensor, rows: Sequence[int]) -> Tensor:
        at = torch.isin(rollout.chosen.nonzero()[:, 0], torch.as_tensor(rows))
        values: Tensor = self.out(self.body[1:](prepared[at])).squeeze(-1)
        return values


class ModelCritic(Critic):
    """A copy of the whole policy as it is now, with a linear head on its last hidden states. What learns in the policy learns in it.

    A text may be worth what its words are, and the policy's states, made to foretell the next token, need not say it. A critic with layers
    of its own reads that from the text, and shares no weight with the policy.

    A pass over a batch reads every text with gradients, by the model's own forward pass. That costs some 1.3 times what a pass of the
    policy does by its fast path (fp32, one thread, French prior, lower half frozen). A step reads the texts once without gradients, and
    ``value_epochs`` times with them: at the default of two it takes 2.1 times as long as one with ``StateCritic``, and 2.5
    times where all layers learn. The first step has ``critic_first`` passes more. Memory: another copy of the weights and of the
    optimizer's state.

    Args:
        policy: its copy, or its ``reference`` where it makes none, is what learns.
        dtype: of the head.

    Raises:
        RlpoetError: the policy's reference has not the parameters of the policy.
    """

    def __init__(self, policy: Policy, dtype: torch.dtype) -> None:
        super().__init__()
        self.reader = policy.copy() if isinstance(policy, CopiesItself) else policy.reference()
        self.model: nn.Module = self.reader.model
        copies = dict(self.model.named_parameters())
        for name, parameter in policy.model.named_parameters():
            if name not in copies:
                raise RlpoetError(
                    f"--ppo.critic model: the policy's reference has no parameter {name}; expected a copy of the policy. "
                    "Set --ppo.critic states."
                )
            copies[name].requires_grad_(parameter.requires_grad)
        # beside the model: ranks average the gradients of all parameters as one vector
        device = next(self.model.parameters()).device
        self.out = nn.Linear(policy.model.get_output_embeddings().in_features, 1, dtype=dtype, device=device)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def prepared(self, states: Tensor) -> Tensor:
        """Nothing: it has states of its own."""
        return states[:0]

    def values(self, rollout: Rollout, prepared: Tensor, rows: Sequence[int]) -> Tensor:
        order = sorted(rows)
        free = replace(rollout, token_masks=None, mask_of=None)  # what could be drawn after a state does not change it
        parts = [free.rows(order[i : i + ROWS_AT_ONCE]) for i in range(0, len(order), ROWS_AT_ONCE)]
        states = torch.cat([listened(self.reader, part)[1] for part in parts])
        values: Tensor = self.out(states.to(self.out.weight)).squeeze(-1)
        return values.cpu()


def entropies(logits: Tensor, pad: int, rollout: Rollout) -> Tensor:
    """Entropy of the distribution over what each token of a batch could be, PAD left out, ``(N,)``, nats."""
    is_pad = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
    is_pad[pad] = True
    rows = []
    n = 4096  # in parts: (N, V) is large
    for begin in range(0, len(logits), n):
        part = logits[begin : begin + n].float().masked_fill(is_pad, -30.0)
        if rollout.token_masks is not None and rollout.mask_of is not None:
            masks = rollout.token_masks[rollout.mask_of[rollout.chosen][begin : begin + n]]
            part = part.masked_fill(masks.to(logits.device), -1e30)  # not infinite: it is multiplied by its probability, 0
        rows.append(part.log_softmax(-1))
    return torch.cat([-(log_p.exp() * log_p).sum(-1) for log_p in rows])


def listened(policy: Policy, rollout: Rollout) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probabilities ``(B, S)``; of the tokens drawn the states before them ``(N, H)`` and the logits ``(N, V)``. All have gradients.

    For a policy without ``ScoresTokens``, for an entropy bonus, and for a critic that learns by its states: it holds all logits.
    """
    # parts of the head's work are heard one after the other; whole rows in parts would not be
    with as_a_whole(policy), _heard(policy) as calls:
        log_p = policy.log_prob(rollout).cpu()
    n, at = int(rollout.chosen.sum()), rollout.chosen[:, 1:]
    # a policy that reads a model of a new make tries its head on some tokens first: that is no part of the batch
    own = [call for call in calls if call[0].ndim == 2 or call[0].shape[:2] == at.shape]
    parts = [call if call[0].ndim == 2 else _rows_of(call, at) for call in own]
    if (seen := sum(len(states) for states, _ in parts)) != n:
        raise RlpoetError(f"ppo: the model's head saw {seen} states for {n} tokens; expected one each. Train this policy with --algo tb.")
    return log_p, torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


def _rows_of(call: tuple[Tensor, Tensor], at: Tensor) -> tuple[Tensor, Tensor]:
    """The places marked, of a head that was applied to whole rows."""
    states, logits = call
    return states[at.to(states.device)], logits[at.to(states.device)]


@contextmanager
def _heard(policy: Policy) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """States and logits of each call of the model's head while the block runs. A hook, for a policy's contract knows no states."""
    calls: list[tuple[Tensor, Tensor]] = []
    hook = policy.model.get_output_embeddings().register_forward_hook(lambda _, args, output: calls.append((args[0], output)))
    try:
        yield calls
    finally:
        hook.remove()
