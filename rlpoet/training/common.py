"""What every trainer does alike: which parameters learn, how a run is kept and taken up, what is told of its rewards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rlpoet.protocols import Scored
from rlpoet.rollout import Policy, ReadsInParts, Rollout


def learning_parameters(model: Any, *, freeze_embeddings: bool) -> list[nn.Parameter]:
    """The parameters an optimizer gets.

    Args:
        model: a Hugging Face causal LM.
        freeze_embeddings: leave token rows and the head as they are: a token's row is seen in few texts of a batch, Adam scales its
            noise up to full steps, and the policy drifts.
    """
    if freeze_embeddings:
        for table in (model.get_input_embeddings(), model.get_output_embeddings()):
            table.requires_grad_(False)
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


@contextlib.contextmanager
def as_a_whole(policy: Policy) -> Iterator[None]:
    """A policy that weighs a batch at once while the block runs, so that a hook sees all of it."""
    if not isinstance(policy, ReadsInParts):
        yield
        return
    micro_batch, policy.micro_batch = policy.micro_batch, None
    try:
        yield
    finally:
        policy.micro_batch = micro_batch


def without_dropout(model: nn.Module) -> None:
    """Take a model's own dropout away: texts are drawn without it, and weighed as they are drawn. An adapter added later keeps its own."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0


def learned_state(model: nn.Module, like: nn.Module | None = None) -> dict[str, Tensor]:
    """What a checkpoint keeps of a model: the parameters that learn, by name. The rest is where the policy was opened from.

    Args:
        like: the model whose parameters learn, where ``model`` is a frozen copy of it.
    """
    learns = {name for name, parameter in (like or model).named_parameters() if parameter.requires_grad}
    return {name: tensor for name, tensor in model.state_dict().items() if name in learns}


def load_learned(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Take up what ``learned_state`` gave, or a whole model's state, as earlier versions kept it."""
    model.load_state_dict(state, strict=False)


def freeze_lower_layers(model: Any, share: float) -> int:
    """Leave the lowest layers of a model as they are; how many.

    With most layers frozen a policy learns as much from as many poems and drifts less from its prior (``experiments/LOG.md``): noise has
    fewer weights to go into. Its step is cheaper, for no gradient has to go through what stays as it is.

    Args:
        model: a Hugging Face causal LM; one whose layers are no list of ``num_hidden_layers`` modules is left alone.
        share: of the layers, in [0, 1); rounded down.
    """
    n_layers = getattr(model.config, "num_hidden_layers", 0)
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList) and len(module) == n_layers]
    frozen = int(share * n_layers) if lists else 0
    for layer in list(lists[0])[:frozen] if lists else ():
        layer.requires_grad_(False)
    return frozen


def interpolate(model: nn.Module, prior: nn.Module, share: float) -> None:
    """Move the weights that learn a share of the way to the prior's, in place.

    Between a trained model and its start rhymes fall off more slowly than the start's variety comes back.

    Args:
        model, prior: of one make, the same parameters in both.
        share: of the prior in the mean of the two, in [0, 1].

    References:
        Wortsman et al. 2022, "Robust fine-tuning of zero-shot models" (WiSE-FT), arXiv:2109.01903.
    """
    start = dict(prior.named_parameters())
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.requires_grad:  # the others have not moved, and may be packed in four bits
                weight.lerp_(start[name].to(weight.dtype), share)


def foreign(state: Mapping[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer | None, own: Mapping[str, Any]) -> str:
    """Why a state does not belong to this model and trainer; empty if it does.

    Args:
        state: of a checkpoint.
        own: what the trainer itself keeps beside model and optimizer, as it is now.
    """
    wanted = {"model", "generator", "rng", "n_steps", "n_fresh", "seconds", *own} | ({"optimizer"} if optimizer else set())
    if missing := sorted(wanted - state.keys()):
        return f"no {', '.join(missing)} in it"
    shapes = {name: tuple(tensor.shape) for name, tensor in state["model"].items()}
    for name, tensor in learned_state(model).items():
        if shapes.get(name) != tuple(tensor.shape):
            return f"{name} is {shapes.get(name, 'missing')}, the policy's is {tuple(tensor.shape)}"
    if optimizer:
        sizes = [len(group["params"]) for group in state["optimizer"]["param_groups"]]
        if sizes != [len(group["params"]) for group in optimizer.param_groups]:
            return "other parameters were trained"
    return ""


def reward_means(parts: Mapping[str, Sequence[float | None]]) -> dict[str, float]:
    """``rewards/NAME/mean`` over the texts whose prompt asks for the reward; absent where none does.

    >>> reward_means({"rhyme": (1.0, None, 0.0), "style": (None, None, None)})
    {'rewards/rhyme/mean': 0.5}
    """
    known = {name: [score for score in scores if score is not None] for name, scores in parts.items()}
    return {f"rewards/{name}/mean": sum(scores) / len(scores) for name, scores in known.items() if scores}


def batch_figures(
    fresh: Rollout, scored: Scored, n_prompts: int, log_pf: Tensor, log_prior: Tensor, n_tokens: tuple[Tensor, Tensor] | None = None
) -> dict[str, float]:
    """The figures that every trainer reports of a batch, by their tags.

    Args:
        fresh: ``B`` texts in ``n_prompts`` groups of one size.
        scored: their scores.
        log_pf, log_prior: log-probability of texts under the policy and the prior, nats; of all ``(B,)``, or of some.
        n_tokens: tokens of the texts of ``log_pf`` and of ``log_prior``, where these are not the fresh ones in order.
    """
    of_policy, of_prior = n_tokens or (fresh.n_tokens, fresh.n_tokens)
    return {
        **reward_figures(fresh, scored),
        "frac_reward_zero_std": (totals(scored).view(n_prompts, -1).std(1, correction=0) < 1e-6).float().mean().item(),
        "objective/kl": (log_pf.mean() - log_prior.mean()).item(),  # one-sample estimate of the sequence KL to the prior
        "objective/prior_nll_per_token": (-log_prior / of_prior).mean().item(),
        "objective/entropy_per_token": (-log_pf / of_policy).mean().item(),
    }


def reward_figures(fresh: Rollout, scored: Scored) -> dict[str, float]:
    """Those of them that ask no model and no group."""
    return {
        "reward/mean": totals(scored).mean().item(),
        "samples/ended": fresh.ended.float().mean().item(),
        "samples/tokens": fresh.n_tokens.float().mean().item(),
    }


def totals(scored: Scored) -> Tensor:
    """Composed rewards ``(B,)``; 0 where a prompt asks for none of the terms."""
    return torch.tensor([0.0 if total is None else total for total in scored.total])
