"""PPO's critic, and what it reads of a policy that does not tell it: heard at the head of its model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from rlpoet.errors import RlpoetError
from rlpoet.rollout import Policy, Rollout


class Critic(nn.Module):
    """Expected return of each state, ``(N, H)`` to ``(N,)``, once ``evened``; 0 everywhere at first."""

    def __init__(self, width: int, hidden: int = 64) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.LayerNorm(width, elementwise_affine=False), nn.Linear(width, hidden), nn.GELU())
        self.out = nn.Linear(hidden, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def evened(self, states: Tensor) -> Tensor:
        """States as ``forward`` takes them, ``(N, H)``: normalised, which is the same in every pass over them."""
        told: Tensor = self.body[0](states)
        return told

    def forward(self, evened: Tensor) -> Tensor:
        values: Tensor = self.out(self.body[1:](evened)).squeeze(-1)
        return values


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
    """Log-probabilities ``(B, S)``; of the tokens drawn the states before them ``(N, H)`` and the logits ``(N, V)``."""
    with _heard(policy) as calls:
        log_p = policy.log_prob(rollout).cpu()
    n = int(rollout.chosen.sum())
    parts = [call if call[0].ndim == 2 else _rows_of(call, rollout.chosen[:, 1:]) for call in calls]
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
