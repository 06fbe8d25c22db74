"""A Hugging Face causal LM that writes verse in a VerseFormat: sample, weigh, freeze, save, load."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as hf_logging

from policies.grammar import Grammar
from policies.sampler import Decoding, sample_tokens
from policies.verse_format import BREAK, END, VerseFormat
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.prosody.annotate import Group, relabel, tail_keys
from rlpoet.prosody.forms import form
from rlpoet.rollout import Rollout
from rlpoet.text import split_poem
from rlpoet.types import Prompt

SHIPPED = Path(__file__).parent / "pretrained"


class CausalPolicy:
    """A causal LM, its tokenizer and the format of its verse.

    Attributes:
        model: on whatever device; sampling follows it.
        precision: dtype of autocast in ``log_prob`` and of sampling. float32 is exact, bfloat16 about twice
            as fast on processors that have it; sampling then is very slightly off-policy.
    """

    name = "causal-lm"

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, verse_format: VerseFormat, *, seed: int = 0) -> None:
        self.model, self.tokenizer, self.format = model, tokenizer, verse_format
        self.precision = torch.float32
        self.generator = torch.Generator().manual_seed(seed)
        ids = tokenizer.convert_tokens_to_ids
        self.pad, self.end, self._break = int(tokenizer.pad_token_id), int(ids(END)), int(ids(BREAK))
        self._line_marks = set(ids(verse_format.line_marks))
        self._marks = set(ids(verse_format.marks))

    @property
    def lang(self) -> str:
        return self.format.lang

    @property
    def authors(self) -> tuple[str, ...]:
        """Whose manner it can be asked for, commonest first."""
        return self.format.authors

    # -- files ------------------------------------------------------------------------------------

    @classmethod
    def load(cls, source: str | Path, *, seed: int = 0, device: str = "cpu") -> Self:
        """Open a shipped policy by its language or a folder one was saved to.

        Raises:
            UnknownName: neither a shipped policy nor a folder.
            RlpoetError: the folder holds no policy, or a broken one.
        """
        folder = locate(source)
        verse_format = VerseFormat.load(folder)
        try:
            with quiet():
                model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
                tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # safetensors, tokenizers and json each raise their own
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise RlpoetError(
                f"{folder}: broken policy ({first}); expected config.json, model.safetensors and tokenizer.json that fit."
            ) from None
        return cls(model.eval().to(device), tokenizer, verse_format, seed=seed)

    def save(self, folder: str | Path, *, dtype: torch.dtype | None = None) -> None:
        """Hugging Face layout: safetensors, tokenizer.json, and ``verse_format.json`` beside them."""
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        model = self.model if dtype is None else copy.deepcopy(self.model).to(dtype)
        with quiet():
            model.save_pretrained(path)
        self.tokenizer.save_pretrained(path)
        self.format.save(path)

    def reference(self) -> Self:
        """A frozen copy, with a generator of its own."""
        model = copy.deepcopy(self.model).eval().requires_grad_(False)
        twin = type(self)(model, self.tokenizer, self.format)
        twin.precision = self.precision
        return twin

    # -- writing ----------------------------------------------------------------------------------

    def sample(
        self,
        prompts: Sequence[Prompt],
        n: int = 1,
        *,
        temperature: float = 1.0,
        max_new_tokens: int = 0,
        constrained: bool = True,
        **decoding: Any,
    ) -> Rollout:
        """``n`` poems a prompt, those of one prompt side by side.

        Args:
            max_new_tokens: 0 means 28 a line of the form that is still to be written.
            constrained: hold the poem to the skeleton of its form (number of lines, marks); see ``policies.grammar``.
        """
        asked = [prompt for prompt in prompts for _ in range(n)]
        starts = {prompt: self._ids(self.format.write_prompt(prompt)) for prompt in dict.fromkeys(asked)}
        room = max_new_tokens or 28 * max((form(p.form, p.lang).n_lines - len(p.opening) for p in prompts), default=1)
        options = Decoding(temperature=temperature, max_new_tokens=room, **decoding)
        self.model.eval()
        with torch.no_grad():
            grammar = Grammar(self.format, self.tokenizer, asked, self.model.config.vocab_size) if constrained else None
            new = sample_tokens(
                self.model,
                [starts[p] for p in asked],
                options,
                end=self.end,
                pad=self.pad,
                generator=self.generator,
                dtype=self.precision,
                grammar=grammar,
            )
        return self._rollout(asked, [starts[p] for p in asked], new)

    def write(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> Rollout:
        """Poems that exist already, as if the policy had drawn every line after the opening."""
        starts, new = [], []
        for prompt, text in zip(prompts, texts, strict=True):
            lines, asked = split_poem(text), form(prompt.form, prompt.lang)
            keys = tail_keys(lines, asked.letters[: len(lines)].ljust(len(lines), "x"), prompt.lang)
            group = Group(tuple(lines), relabel(asked.scheme), keys, "")
            starts.append(self._ids(self.format.write_prompt(prompt)))
            places = self.format.line_places(group.scheme)
            rows = list(zip(places, lines, keys, strict=False))[len(prompt.opening) :]
            body = "".join((place if i else "") + self.format.write_line(line, key) for i, (place, line, key) in enumerate(rows))
            new.append(self._ids(body + END))
        return self._rollout(list(prompts), starts, new)

    def read(self, ids: Sequence[int]) -> str:
        """The poem a token sequence spells: a line break at each line mark, other marks dropped."""
        lines: list[list[int]] = []
        breaks: set[int] = set()
        for token in ids:
            if token in self._line_marks:
                lines.append([])
            elif token == self.end:
                break
            elif token == self._break:
                breaks.add(len(lines))
            elif token not in self._marks and lines:
                lines[-1].append(token)
        decoded = self.tokenizer.backend_tokenizer.decode_batch(lines) if lines else []
        out = []
        for number, words in enumerate(decoded):
            if number in breaks:
                out.append("")
            out.append(self.format.read_line(words))
        return "\n".join(out)

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids)

    def _rollout(self, prompts: Sequence[Prompt], starts: Sequence[Sequence[int]], new: Sequence[Sequence[int]]) -> Rollout:
        width = max((len(s) + len(x) for s, x in zip(starts, new, strict=True)), default=0)
        ids = torch.full((len(starts), width), self.pad, dtype=torch.long)
        chosen = torch.zeros((len(starts), width), dtype=torch.bool)
        ends = []
        for row, (start, tokens) in enumerate(zip(starts, new, strict=True)):
            whole = [*start, *tokens]
            ids[row, : len(whole)] = torch.tensor(whole)
            chosen[row, len(start) : len(whole)] = True
            # a line ends where the next one, or END, begins
            marks = [i for i in range(len(start), len(whole)) if whole[i] in self._line_marks or whole[i] == self.end]
            ends.append([i - 1 for i in marks])
        line_ends = torch.full((len(ends), max(map(len, ends), default=0)), -1, dtype=torch.long)
        for row, places in enumerate(ends):
            line_ends[row, : len(places)] = torch.tensor(places, dtype=torch.long)
        texts = tuple(self.read([*start, *tokens]) for start, tokens in zip(starts, new, strict=True))
        ended = torch.tensor([bool(tokens) and tokens[-1] == self.end for tokens in new], dtype=torch.bool)
        return Rollout(tuple(prompts), texts, ids, chosen, ended, line_ends)

    # -- weighing ---------------------------------------------------------------------------------

    def log_prob(self, rollout: Rollout) -> Tensor:
        """Log-probability of each drawn token at temperature 1, ``(B, S)``, nats, 0 elsewhere.

        PAD has no probability, as in sampling. Rows of any length; gradients flow if the model's do.
        """
        device = next(self.model.parameters()).device
        ids = rollout.ids.to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.precision == torch.bfloat16):
            hidden = self.model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state  # (B, S-1, E)
            at = rollout.chosen[:, 1:].to(device)
            logits = self.model.lm_head(hidden[at])  # (N, V): only where the policy chose
        logits = logits.float()
        barred = torch.zeros(logits.shape[-1], dtype=torch.bool, device=device)
        barred[self.pad] = True
        log_p = logits.masked_fill(barred, -30.0).log_softmax(-1).gather(1, ids[:, 1:][at][:, None]).squeeze(1)  # (N,)
        out = torch.zeros(at.shape, dtype=log_p.dtype, device=device).masked_scatter(at, log_p)
        return torch.nn.functional.pad(out, (1, 0))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No progress bars for the loading of a few megabytes; as it was afterwards."""
    was_on = hf_logging.is_progress_bar_enabled()
    hf_logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_on:
            hf_logging.enable_progress_bar()


def locate(source: str | Path) -> Path:
    """Folder of a shipped policy (``fr``, ``es``, ``en``) or of one saved by hand or by a run.

    Raises:
        UnknownName: nothing of that name is shipped and no such folder exists.
    """
    shipped = sorted(path.parent.name for path in SHIPPED.glob("*/config.json"))
    if str(source) in shipped:
        return SHIPPED / str(source)
    path = Path(source)
    for folder in (path, path / "policy"):
        if (folder / "config.json").exists():
            return folder
    if path.exists():
        raise RlpoetError(f"{path}: no policy in it (no config.json); expected a folder with config.json and model.safetensors.")
    raise UnknownName("policy", str(source), shipped, fix="Or give the folder of a trained policy.")
