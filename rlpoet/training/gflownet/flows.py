"""Learned flows of a poem at its line ends: what the rest of it is worth, told from the frozen prior's own states.

The prior has read the prompt and the lines so far; a small network reads its last hidden state. Frozen features, so that
the flow's gradient never moves the policy. Flows are in units of beta: they stay put while beta warms up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from rlpoet.rollout import Policy, Rollout
from rlpoet.training.common import as_a_whole
from rlpoet.types import Prompt


class Flows(nn.Module):
    """``log F(s) - log p0(s)`` at the nodes of a poem: column 0 is log Z(x), column l the end of line l.

    The network's last layer starts at zero, so that the flow is first one number a node, which ``settle`` takes from data: a
    flow that has to climb to log Z from 0 would push the policy away from its prior until it gets there.

    Args:
        width: length of the prior's hidden states.
        n_nodes: lines of the longest poem, and one.
        hidden: units of the network.
    """

    offset: Tensor
    settled: Tensor

    def __init__(self, width: int, n_nodes: int, *, hidden: int = 64) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, 1))
        out = self.net[-1]
        assert isinstance(out, nn.Linear)
        nn.init.zeros_(out.weight)
        nn.init.zeros_(out.bias)
        self.offset = nn.Parameter(torch.zeros(n_nodes))
        self.register_buffer("settled", torch.tensor(False))

    def settle(self, gains: Tensor, total: Callable[[Sequence[float]], Sequence[float]] = list) -> None:
        """On the first batch, set each node to the mean reward still to come; later calls change nothing.

        Args:
            gains: ``(B, L)``.
            total: adds numbers up over processes that share a step.
        """
        if not self.settled:
            n_nodes = len(self.offset)
            to_go = torch.zeros(n_nodes)
            to_go[: gains.shape[1]] = gains.flip(1).cumsum(1).flip(1).sum(0)
            *sums, n = total([*to_go.tolist(), float(len(gains))])
            with torch.no_grad():
                self.offset.copy_(torch.tensor(sums) / n)
            self.settled.fill_(True)

    def forward(self, states: Tensor, beta: float) -> Tensor:
        """Flows ``(B, N)``, nats, from states ``(B, N, width)``."""
        return beta * (self.net(states).squeeze(2) + self.offset[: states.shape[1]])


def lines_of(rollout: Rollout) -> tuple[Tensor, Tensor, Tensor]:
    """Where a batch's lines are.

    Returns:
        The line each token decides ``(B, S)``; number of lines of each text ``(B,)``, at least 1; the position of the last token
        before each line ``(B, L)``: the end of the prompt, then the mark after each line but the last.
    """
    n_lines = max(rollout.line_ends.shape[1], 1)
    width = rollout.ids.shape[1]
    # the mark after a line decides where the line ends, so it counts as part of it
    ends = rollout.line_ends.masked_fill(rollout.line_ends < 0, width) + 1  # (B, L)
    place = torch.arange(width)
    line_of = (place[None, :, None] > ends[:, None, :]).sum(2).clamp_max(n_lines - 1)  # (B, S)
    last = line_of.masked_fill(~rollout.chosen, 0).amax(1) + 1
    begin = rollout.chosen.float().argmax(1, keepdim=True) - 1  # (B, 1)
    return line_of, last, torch.cat([begin, ends[:, : n_lines - 1]], 1).clamp(0, width - 1)


def line_gains(
    by_line: Sequence[Sequence[float]], scores: Sequence[float], prompts: Sequence[Prompt], last: Tensor, n_lines: int
) -> Tensor:
    """What each line the policy wrote adds to the reward, ``(B, L)``; rows sum to the score.

    Opening lines were given: what they earn is a constant of the prompt, and goes to the first line. What no line owns is paid at the last.
    """
    gains = torch.zeros(len(scores), n_lines)
    for row, (own, score, prompt, n) in enumerate(zip(by_line, scores, prompts, last.tolist(), strict=True)):
        given = len(prompt.opening)
        mine = list(own[given:])[:n]
        gains[row, : len(mine)] = torch.tensor(mine)
        gains[row, 0] += sum(own[:given])
        gains[row, n - 1] += score - gains[row].sum()
    return gains


def at_end(scores: Sequence[float], last: Tensor, n_lines: int) -> Tensor:
    """The whole reward as the last line's gain, ``(B, L)``: plain SubTB."""
    return torch.zeros(len(scores), n_lines).scatter(1, last[:, None] - 1, torch.tensor(scores, dtype=torch.float32)[:, None])


@torch.no_grad()
def read_states(prior: Policy, rollout: Rollout, positions: Tensor) -> tuple[Tensor, Tensor]:
    """The prior's log-probabilities ``(B, S)`` and its last hidden states at ``positions`` ``(B, N)``: ``(B, N, width)``, from one pass."""
    seen: list[Tensor] = []
    model = prior.model.get_base_model() if hasattr(prior.model, "get_base_model") else prior.model
    handle = model.base_model.register_forward_hook(lambda module, args, output: seen.append(output.last_hidden_state))
    try:
        with as_a_whole(prior):
            log_p = prior.log_prob(rollout).cpu()
    finally:
        handle.remove()
    states = seen[-1].to(torch.promote_types(torch.float32, seen[-1].dtype)).cpu()  # (B, S - 1, width): the last token is never read
    at = positions.clamp_max(states.shape[1] - 1)[:, :, None].expand(-1, -1, states.shape[2])
    return log_p, states.gather(1, at)


def state_width(policy: Policy) -> int:
    """Length of the policy's hidden states."""
    return int(policy.model.config.get_text_config().hidden_size)
