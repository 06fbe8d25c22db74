"""Trajectory balance as a trainer of trl: ``GRPOTrainer`` with another loss, so its data, rewards, vLLM, PEFT and logs stay as they are.

    TBTrainerForTRL(model, reward_funcs=[...], args=GRPOConfig(beta=0.05, ...), train_dataset=rows)

``beta`` of ``GRPOConfig`` is the strength of the KL penalty. The target is the one of GRPO with that penalty, ``p0 exp(r / beta)``, where r
is the weighted sum of the rewards. Options of GRPO's own loss (``loss_type``, ``epsilon``, ``scale_rewards``) do not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import trl
from torch import Tensor, nn

from rlpoet.errors import RlpoetError
from rlpoet.training.gflownet.objectives import group_log_z, trajectory_balance


class TBTrainerForTRL(trl.GRPOTrainer):
    """VarGrad over the texts of each prompt, as they were drawn.

    A data set with a column ``log_z`` sets log Z of each prompt instead: ``rlpoet.training.gflownet.objectives.log_mean_weight`` of rewards
    of the reference model's own texts, with ``1 / beta``. That is A*-PO.

    Log Z is estimated when the texts are drawn, from all texts of the prompt. So texts of a prompt may be spread over micro-batches and
    processes, and where texts are used in several steps it stays that of the policy that drew them.

    Raises:
        RlpoetError: ``beta`` is 0, which leaves no target.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if not self.beta > 0:
            raise RlpoetError(f"beta is {self.beta}; expected the strength of the KL penalty, above 0. Set GRPOConfig(beta=0.05).")
        self._rewards: Tensor | None = None

    def _calculate_rewards(self, inputs: Sequence[Mapping[str, Any]], *args: Any, **options: Any) -> Tensor:
        """Those of all processes, ``(B, functions)``; their weighted sum is kept for the loss."""
        rewards: Tensor = super()._calculate_rewards(inputs, *args, **options)
        self._rewards = (rewards * self.reward_weights.to(rewards.device)).nansum(1)
        self._rewards = self._rewards.masked_fill(rewards.isnan().all(1), torch.nan)  # a row that no function scores teaches nothing
        return rewards

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        drawn: dict[str, Any] = super()._generate_and_score_completions(inputs)
        assert self._rewards is not None
        n = len(drawn["completion_ids"])
        rank = self.accelerator.process_index
        rewards = self._rewards.to(torch.float32)
        scored = ~rewards.isnan()
        with torch.no_grad():
            log_p = drawn.get("old_per_token_logps")
            log_p = self._log_p(self.model, drawn) if log_p is None else log_p
        log_pf, log_prior = _of_texts(log_p, drawn), _of_texts(drawn["ref_per_token_logps"], drawn)
        own = slice(rank * n, (rank + 1) * n)
        if all(row.get("log_z") is not None for row in inputs):
            log_z = torch.tensor([float(row["log_z"]) for row in inputs], device=log_pf.device)
        else:
            gap = self.accelerator.gather(log_pf - log_prior)  # of all processes, as the rewards are
            size = self.num_generations if self.model.training else self.num_generations_eval
            group = torch.arange(len(gap), device=gap.device) // size
            known = torch.where(scored, rewards, torch.zeros_like(rewards)) / self.beta
            group = torch.where(
                scored, group, len(gap) + torch.arange(len(gap), device=gap.device)
            )  # by itself: it has no part in the mean
            log_z = group_log_z(gap[:, None], known, group)[own]
        drawn["tb_reward"], drawn["tb_log_z"] = rewards[own].nan_to_num(), log_z
        drawn["tb_scored"] = scored[own]
        return drawn

    def _compute_loss(self, model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
        """Mean squared residual over ``2 / beta``: its gradient on fresh texts is RLOO's, ``(n - 1) / n`` times as large."""
        log_p = self._log_p(model, inputs)
        scored = inputs["tb_scored"]
        log_pf = log_p * _mask(inputs) * scored[:, None]
        log_reward = _of_texts(inputs["ref_per_token_logps"], inputs) + inputs["tb_reward"] / self.beta
        log_z = torch.where(scored, inputs["tb_log_z"], log_reward)  # residual 0
        loss = self.beta / 2 * trajectory_balance(log_pf, log_reward, log_z)
        mode = "train" if self.model.training else "eval"
        ratio = (log_pf.detach().sum(1) - _of_texts(inputs["ref_per_token_logps"], inputs))[scored]
        figures = {
            "tb/log_z": inputs["tb_log_z"][scored],
            "kl": ratio,
            "tb/residual": (log_z + log_pf.detach().sum(1) - log_reward)[scored].abs(),
        }
        for name, values in figures.items():
            if len(values):
                self._metrics[mode][name].append(self.accelerator.gather(values.mean()).mean().item())
        return loss / (self.current_gradient_accumulation_steps if mode == "train" else 1)

    def _log_p(self, model: Any, batch: Mapping[str, Any]) -> Tensor:
        """Log-probabilities of the tokens of each text, ``(B, T)``."""
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
        attention = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)
        found: Tensor = self._get_per_token_logps_and_entropies(model, ids, attention, batch["completion_ids"].size(1))[0]
        return found


def _mask(batch: Mapping[str, Any]) -> Tensor:
    """The tokens that the policy drew: not padding, not what a tool answered."""
    mask: Tensor = batch["completion_mask"]
    return mask * batch["tool_mask"] if batch.get("tool_mask") is not None else mask


def _of_texts(log_p: Tensor, batch: Mapping[str, Any]) -> Tensor:
    """Sums over the tokens of each text, ``(B,)``."""
    return (log_p * _mask(batch)).sum(1)
