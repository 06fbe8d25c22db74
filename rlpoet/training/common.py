"""What every trainer does alike: which parameters learn, how a run is kept and taken up, what is told of its rewards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rlpoet.errors import RlpoetError


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


def freeze_lower_layers(model: Any, share: float) -> int:
    """Leave the lowest layers of a model as they are; how many.

    With the lower half frozen a policy learns as much from as many poems and keeps more of its words (``experiments/LOG.md``). Its step
    is cheaper, for no gradient has to go through what stays as it is.

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


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Whole or not at all: a full disk or a killed process leaves the checkpoint before."""
    partial = path.with_suffix(".partial")
    torch.save(dict(state), partial)
    partial.replace(path)


@contextmanager
def checkpoint(path: Path) -> Iterator[dict[str, Any]]:
    """The state in a file, while it is taken up.

    Raises:
        RlpoetError: the file is damaged or belongs to another model or trainer, whether reading or taking it up fails.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        yield state
    except Exception as error:  # torch raises a dozen kinds for a damaged file
        raise RlpoetError(
            f"{path}: broken checkpoint ({error!s:.80}); expected one this run wrote. Start a new run without --resume."
        ) from None


def reward_means(parts: Mapping[str, Sequence[float | None]]) -> dict[str, float]:
    """``rewards/NAME/mean`` over the texts whose prompt asks for the reward; absent where none does.

    >>> reward_means({"rhyme": (1.0, None, 0.0), "style": (None, None, None)})
    {'rewards/rhyme/mean': 0.5}
    """
    known = {name: [score for score in scores if score is not None] for name, scores in parts.items()}
    return {f"rewards/{name}/mean": sum(scores) / len(scores) for name, scores in known.items() if scores}
