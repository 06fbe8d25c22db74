"""Muon whose matrix products are in float32, for processors that have no bfloat16 units.

``torch.optim.Muon`` makes its update orthogonal in bfloat16, whatever the weights are. A processor without units for it does so at a
hundredth of its speed, and the update then takes longer than the gradient.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class Float32Muon(torch.optim.Muon):
    """``torch.optim.Muon`` in float32; matrices of one shape are multiplied together.

    The state is that of ``torch.optim.Muon``, so either reads the other's.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of each matrix that has a gradient; the closure's value, if there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            alike: defaultdict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
            for param in group["params"]:
                grad = param.grad
                if grad is not None:
                    mean = self.state[param].setdefault("momentum_buffer", torch.zeros_like(grad)).lerp_(grad, 1 - group["momentum"])
                    alike[param.shape].append((param, grad.lerp(mean, group["momentum"]) if group["nesterov"] else mean))
            for shape, of_shape in alike.items():
                rate = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5  # the rule of torch's ``adjust_lr_fn=None``
                updates = torch.stack([update for _, update in of_shape])
                near = orthogonal(updates, group["ns_coefficients"], n_steps=group["ns_steps"], eps=group["eps"])
                for (param, _), update in zip(of_shape, near, strict=True):
                    param.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-rate)
        return loss


def orthogonal(matrices: Tensor, coefficients: tuple[float, float, float], *, n_steps: int, eps: float) -> Tensor:
    """The orthogonal matrix next to each, roughly: its singular values come to lie between about .7 and 1.2.

    Args:
        matrices: ``(N, rows, columns)``, each scaled to norm 1 first.
        coefficients: of the odd polynomial of fifth degree that is applied ``n_steps`` times.

    References:
        Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks", kellerjordan.github.io/posts/muon.
    """
    a, b, c = coefficients
    tall = matrices.shape[1] > matrices.shape[2]
    found = matrices.mT if tall else matrices
    found = found / found.norm(dim=(1, 2), keepdim=True).clamp(min=eps)
    for _ in range(n_steps):
        gram = found @ found.mT
        found = torch.baddbmm(found, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return found.mT if tall else found
