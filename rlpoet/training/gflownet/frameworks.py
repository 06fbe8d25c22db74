r"""Trajectory balance as a loss of other trainers: prime-rl, slime, and whatever else has log-probabilities. None of them is imported here.

The target is ``p0(y|x) exp(beta r(x, y))``, p0 the reference model. Trainers give their strength of the KL penalty as ``1 / beta``.

| library | set | log Z(x) |
| --- | --- | --- |
| prime-rl | ``[trainer.loss] type = "custom"``, ``import_path = "rlpoet.training.gflownet.frameworks.prime_rl_loss"`` | see below |
| slime | ``--loss-type custom_loss --custom-loss-function-path rlpoet.training.gflownet.frameworks.slime_loss`` | see below |
| trl | ``rlpoet.training.gflownet.trl_trainer.TBTrainerForTRL`` | VarGrad over the whole prompt, or a column ``log_z`` |
| your own loop | ``group_balance`` | VarGrad over the texts of a prompt |

prime-rl and slime give a loss one text at a time, and of the other texts of its prompt only what is in the text's advantage. So log Z comes
with the advantage, by ``advantage``:

- ``group``: the reward less the mean reward of the prompt's n texts, as GRPO has it *without* division by the deviation. The loss makes it
  the leave-one-out advantage, ``n / (n - 1)`` times as large. On the policy's own texts the gradient is that of trajectory balance in the
  mean, since a constant has none there. It is noisier than VarGrad, which also takes the mean of the log-ratios away, and on texts of an
  older policy it is biased.
- ``optimal``: the reward less ``V*(x) = log mean exp(beta r) / beta`` over texts of the reference model, estimated once before
  training. This is A*-PO, right off-policy too.

Losses are divided by ``2 beta``, so that their gradient is that of REINFORCE on ``r - KL / beta``, and learning rates carry over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from rlpoet.training.gflownet.objectives import balance_residual, trajectory_balance, vargrad

Advantage = Literal["group", "optimal"]
Reference = Literal["ref", "inference"]


@dataclass(frozen=True)
class LossOutputs:
    """What prime-rl reads of a loss: the sum over a text's tokens, and figures for its log."""

    loss: Tensor
    metrics: dict[str, Tensor]


def group_balance(
    log_p: Sequence[Tensor],
    log_prior: Sequence[Tensor],
    masks: Sequence[Tensor],
    rewards: Tensor,
    group: Tensor,
    *,
    beta: float,
    log_z: Tensor | None = None,
) -> Tensor:
    """The loss of a batch in which all texts of a prompt are, scalar: VarGrad, or trajectory balance where log Z is known.

    Args:
        log_p, log_prior: of each text, log-probabilities of its tokens under the policy and the reference, ``(T_i,)``, nats. They have to
            be those of the distribution that the text was drawn from, token masks included.
        masks: of each text, which tokens the policy drew, ``(T_i,)``; the others do not count.
        rewards: ``(B,)``.
        group: prompt of each text, ``(B,)``, integers from 0.
        beta: inverse temperature, above 0.
        log_z: log partition function relative to the reference, ``(B,)``, nats, as from ``log_mean_weight``; None for VarGrad.

    Raises:
        ValueError: lengths disagree, or ``beta`` is not above 0.

    References:
        Malkin et al. 2022, arXiv:2201.13259; Richter et al. 2020 (VarGrad), arXiv:2010.10436; Brantley et al. 2025 (A*-PO),
        arXiv:2505.20686; Bartoldson et al. 2025, "Trajectory Balance with Asynchrony", arXiv:2503.18929.
    """
    _check_beta(beta)
    kept = [_masked(p, mask) for p, mask in zip(log_p, masks, strict=True)]
    prior = [_masked(p, mask).detach().sum() for p, mask in zip(log_prior, masks, strict=True)]
    log_pf, log_reward = pad_sequence(kept, batch_first=True), torch.stack(prior) + beta * rewards
    loss = vargrad(log_pf, log_reward, group) if log_z is None else trajectory_balance(log_pf, log_reward, log_z)
    return loss / (2 * beta)


def text_residual(log_p: Tensor, log_prior: Tensor, mask: Tensor, advantage: Tensor, *, beta: float) -> Tensor:
    """Balance residual of one text whose advantage is its reward less ``V*``, ``()``, nats; log Z is ``beta V*``."""
    _check_beta(beta)
    log_reward = _masked(log_prior, mask).detach().sum() + beta * advantage
    return balance_residual(_masked(log_p, mask)[None], log_reward[None], torch.zeros((), dtype=log_p.dtype, device=log_p.device))[0]


def prime_rl_loss(
    inputs: Any, *, beta: float, group_size: int | None = None, advantage: Advantage = "group", reference: Reference = "ref"
) -> LossOutputs:
    """A custom loss of prime-rl, of one text.

    Args:
        inputs: prime-rl's ``LossInputs``: ``trainer_logprobs``, ``inference_logprobs``, ``ref_logprobs``, ``advantages`` and
            ``loss_mask``, each ``(T,)``.
        beta: inverse temperature: 1 over the strength of the KL penalty.
        group_size: texts per prompt; needed with advantage ``group``.
        advantage: what the advantage is less than the reward; see the module.
        reference: ``ref`` takes the reference model's ``ref_logprobs``, which the algorithm has to ship. ``inference`` takes the policy
            that drew the text: the target then moves along with the policy (mirror descent), and training does not settle at one.

    Raises:
        ValueError: no reference log-probabilities, no ``group_size``, or an option out of its range.
    """
    log_prior = inputs.ref_logprobs if reference == "ref" else inputs.inference_logprobs
    if log_prior is None:
        raise ValueError("prime_rl_loss: no ref_logprobs; expected those of the reference model. Ship them, or set reference='inference'.")
    own = _centred(inputs.advantages[inputs.loss_mask], advantage, group_size)
    residual = text_residual(inputs.trainer_logprobs, log_prior, inputs.loss_mask, own, beta=beta)
    figures = {"tb/residual": residual.detach(), "tb/log_ratio": (residual + beta * own).detach()}
    return LossOutputs(residual.square() / (2 * beta), figures)


def slime_loss(args: Any, batch: Mapping[str, Any], logits: Tensor, sum_of_sample_mean: Any) -> tuple[Tensor, dict[str, Tensor]]:
    """A custom loss of slime, of a batch of texts.

    ``args`` needs ``tb_beta`` and may have ``tb_advantage`` (``group`` by default): set them by ``--custom-config-path FILE.yaml``. Run
    with ``--use-kl-loss --kl-loss-coef 0``, so that the reference model scores the texts, and ``--disable-grpo-std-normalization``.

    Raises:
        ValueError: no ``tb_beta``, or no log-probabilities of the reference model.
    """
    from slime.backends.megatron_utils.loss import get_log_probs_and_entropy, get_rollout_top_p_logprob_kwargs

    beta, advantage = getattr(args, "tb_beta", None), getattr(args, "tb_advantage", "group")
    if beta is None:
        raise ValueError("slime_loss: no tb_beta; expected 1 over the strength of the KL penalty. Set it in --custom-config-path.")
    if not batch.get("ref_log_probs"):
        raise ValueError("slime_loss: no ref_log_probs; expected those of the reference model. Run with --use-kl-loss --kl-loss-coef 0.")
    lengths = {name: batch[name] for name in ("unconcat_tokens", "total_lengths", "response_lengths")}
    drawn = get_rollout_top_p_logprob_kwargs(args, batch)  # the masks that the texts were drawn under
    log_p = get_log_probs_and_entropy(logits, args=args, **lengths, with_entropy=False, **drawn)[1]["log_probs"]
    rows = zip(log_p, batch["ref_log_probs"], batch["loss_masks"], batch["advantages"], strict=True)
    residuals = []
    for own, log_prior, mask, gains in rows:
        gain = _centred(gains[mask.bool()], advantage, args.n_samples_per_prompt)
        residuals.append(text_residual(own, log_prior, mask.bool(), gain, beta=beta))
    losses = [residual.square() / (2 * beta) for residual in residuals]
    by_token = torch.cat([loss.expand(len(own)) for loss, own in zip(losses, log_p, strict=True)])
    loss = sum_of_sample_mean(by_token)  # of a number that all tokens of a text share: the sum over texts
    size = torch.cat([residual.detach().abs().expand(len(own)) for residual, own in zip(residuals, log_p, strict=True)])
    return loss, {"loss": loss.detach().clone(), "tb_residual": sum_of_sample_mean(size)}


def _masked(log_p: Tensor, mask: Tensor) -> Tensor:
    """Log-probabilities, 0 where the policy drew nothing; what stands there may be infinite."""
    return torch.where(mask.bool(), log_p, torch.zeros((), dtype=log_p.dtype, device=log_p.device))


def _centred(advantages: Tensor, kind: str, group_size: int | None) -> Tensor:
    """The advantage of a text, the same on all its tokens, less the part of its own reward in the mean."""
    own = advantages[0] if len(advantages) else torch.zeros((), dtype=advantages.dtype, device=advantages.device)
    if kind == "optimal":
        return own
    if kind != "group":
        raise ValueError(f"advantage is {kind!r}; expected 'group' or 'optimal'")
    if group_size is None or group_size < 2:
        raise ValueError(f"group_size is {group_size}; expected the number of texts per prompt, 2 or more, with advantage 'group'")
    return own * group_size / (group_size - 1)


def _check_beta(beta: float) -> None:
    if not beta > 0:
        raise ValueError(f"beta is {beta}; expected 1 over the strength of the KL penalty, above 0")
