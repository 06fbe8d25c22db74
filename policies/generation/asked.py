"""Models on this machine as the benchmark asks them: in words, through the chat template if there is one, or by the marks of a policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from policies.causal_lm import CausalPolicy
from policies.formats.plain import PlainFormat
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.bench.config import BenchConfig
from rlpoet.evaluation.bench.prompts import BenchPrompt
from rlpoet.rollout import Policy, open_policy


def open_model(config: BenchConfig) -> WordsModel | MarksModel:
    """The model of a folder or a name.

    Raises:
        RlpoetError: it cannot be opened, or does not write in one of the languages.
    """
    policy = open_policy(
        config.model, config, seed=config.seed, lang=config.langs[0] if config.langs else None, policy_class=None, inference_only=True
    )
    if isinstance(policy, CausalPolicy) and isinstance(policy.format, PlainFormat):
        return WordsModel(policy, temperature=config.temperature, max_tokens=config.max_tokens, together=config.parallel, seed=config.seed)
    others = [lang for lang in config.langs if lang != policy.lang]
    if others:
        raise RlpoetError(f"--langs {' '.join(config.langs)}: this policy writes {policy.lang}; expected --langs {policy.lang}.")
    return MarksModel(policy, temperature=config.temperature, together=config.parallel, seed=config.seed)


class WordsModel:
    """A language model that reads a request and answers it.

    Args:
        temperature: of sampling from all tokens; 0 takes the likeliest one.
        together: answers side by side.
        seed: of the first batch of answers; a later batch adds the place of its first answer.
    """

    def __init__(self, policy: CausalPolicy, *, temperature: float, max_tokens: int, together: int, seed: int = 0) -> None:
        self.model, self.tokenizer, self.together, self.seed = policy.model, policy.tokenizer, together, seed
        self.options: dict[str, Any] = {"max_new_tokens": max_tokens, "do_sample": temperature > 0}
        self.options |= {"temperature": temperature, "top_k": 0, "top_p": 1.0} if temperature > 0 else {}

    def request(self, text: str) -> str:
        """What the model reads: the turn of a user, or the text and an empty line."""
        if not getattr(self.tokenizer, "chat_template", None):
            return f"{self.tokenizer.bos_token or ''}{text}\n\n"
        said = [{"role": "user", "content": text}]
        return str(self.tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True))

    def answers(self, asked: Sequence[BenchPrompt], first: int = 0) -> Iterator[str]:
        """The answer to each prompt, in order, as they come.

        Args:
            first: place of the first of them in the run.
        """
        pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else self.tokenizer.eos_token_id
        for start in range(0, len(asked), self.together):
            texts = [self.request(one.text) for one in asked[start : start + self.together]]
            ids = [self.tokenizer(text, add_special_tokens=False).input_ids for text in texts]
            width = max(map(len, ids))
            rows = torch.tensor([[pad or 0] * (width - len(row)) + row for row in ids], device=self.model.device)
            mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids], device=self.model.device)
            torch.manual_seed(self.seed + first + start)
            written = self.model.generate(rows, attention_mask=mask, pad_token_id=pad or 0, **self.options)
            yield from self.tokenizer.batch_decode(written[:, width:], skip_special_tokens=True)


class MarksModel:
    """A policy that is asked by the marks of its own format: for the same forms, without a theme."""

    def __init__(self, policy: Policy, *, temperature: float, together: int, seed: int = 0) -> None:
        self.policy, self.temperature, self.together, self.seed = policy, temperature, together, seed

    def answers(self, asked: Sequence[BenchPrompt], first: int = 0) -> Iterator[str]:
        """A poem for each prompt, in order; see ``WordsModel``."""
        for start in range(0, len(asked), self.together):
            prompts = [one.asked for one in asked[start : start + self.together]]
            if isinstance(generator := getattr(self.policy, "generator", None), torch.Generator):
                generator.manual_seed(self.seed + first + start)
            yield from self.policy.sample(prompts, 1, temperature=self.temperature).texts
