"""Means of weights: a policy's mean with itself is itself, marks that only one knows stay its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny_policy import BAUDELAIRE, VERLAINE, tiny_policy

from experiments.release import average
from policies.causal_lm import CausalPolicy
from rlpoet.errors import RlpoetError

CARD = "## Training\n\n    rlpoet pretrain\n\n**1.500 bits per character** (header given)\n| couplet | 10.0% |\n"


def test_rows_that_one_policy_lacks_are_the_others() -> None:
    first, second = {"w": torch.tensor([[1.0], [5.0]])}, {"w": torch.tensor([[3.0]])}
    assert average.mean_weights([(1, first), (3, second)])["w"].tolist() == [[2.5], [5.0]]


@pytest.mark.parametrize(
    "wrong", [(0.0, {"w": torch.ones(2, 1)}), (1.0, {"w": torch.ones(2, 3)}), (1.0, {"w": torch.ones(4, 1)}), (1.0, {})]
)
def test_what_has_no_mean_is_refused(wrong: tuple[float, dict[str, torch.Tensor]]) -> None:
    with pytest.raises(RlpoetError, match="average"):
        average.mean_weights([(1.0, {"w": torch.ones(2, 1)}), wrong])


def test_two_policies_become_one_with_a_card(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    policies = [tiny_policy(seed=0), tiny_policy(seed=1)]
    for name, policy in zip("ab", policies, strict=True):
        policy.save(str(tmp_path / name))
        (tmp_path / name / "README.md").write_text(CARD, encoding="utf-8")
    poems = tmp_path / "held.txt"
    poems.write_text("\n\n\n".join(["\n".join(BAUDELAIRE), "\n".join(VERLAINE)]), encoding="utf-8")
    monkeypatch.setattr(average, "rhyming", lambda policy, n: {"couplet": 0.25})  # 768 poems of random weights tell nothing here
    asked = [f"{tmp_path / 'a'}=1", f"{tmp_path / 'b'}=3", "--poems", str(poems), "--out", str(tmp_path / "mean")]
    assert average.main(asked) == 0
    told = json.loads(capsys.readouterr().out)
    made = CausalPolicy.load(tmp_path / "mean")
    n = len(made.tokenizer)  # rows beyond only round the matrix up
    for key, value in made.model.state_dict().items():
        own, other = (policy.model.state_dict()[key][:n] for policy in policies)
        torch.testing.assert_close(value[:n].float(), (own / 4 + 3 * other / 4).to(torch.bfloat16).float(), rtol=0.02, atol=0.02)
    card = (tmp_path / "mean" / "README.md").read_text(encoding="utf-8")
    assert (
        "25% a, 75% b" in card and f"**{told['bits_per_char']:.3f} bits per character** on 2 poems" in card and "| couplet | 25.0%" in card
    )
