"""Opening a policy by any of its names: model, tokenizer and format; an adapter is merged into its base."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from policies.formats.codec import Format, load_format
from policies.formats.verse import VerseFormat
from policies.llama.bare import open_bare
from policies.loading.adapters import base_of, fingerprint, merge, read_base, refuse_circle, silent
from policies.loading.files import ModelFiles, find_model, grow, is_of_files, open_model, open_tokenizer, quiet
from rlpoet.errors import RlpoetError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def open_files(
    source: str | Path,
    *,
    lang: str | None = None,
    allow_download: bool = False,
    inference_only: bool = False,
    trust_remote_code: bool = False,
    keep_gguf: bool = True,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, Format]:
    """Model, tokenizer and format of a policy; an adapter is merged into its base.

    Args:
        lang: language a plain model is to write in.
        inference_only: leave transformers out where the model can do without (``policies.llama.bare``).
        allow_download, trust_remote_code, keep_gguf: see ``find_model``; those of an adapter's base too.

    Raises:
        UnknownName, RlpoetError: see ``find_model``; a broken file; an adapter whose base is another one or not to be found.
    """
    opening = {"allow_download": allow_download, "trust_remote_code": trust_remote_code, "keep_gguf": keep_gguf}
    files = find_model(source, **opening)
    if files.adapter:
        return open_adapter(files.folder, lang=lang, inference_only=inference_only, **opening)
    verse_format = load_format(files.folder, lang=lang)
    if inference_only and files.gguf is None and isinstance(verse_format, VerseFormat) and (bare := open_bare(files.folder)) is not None:
        _refuse_unfit(files, bare[1], verse_format, n_pieces=bare[0].config.vocab_size)
        return (*bare, verse_format)
    tokenizer = open_tokenizer(files)
    if isinstance(verse_format, VerseFormat) and tokenizer.pad_token_id is None:
        raise RlpoetError(f"{files}: broken policy (its tokenizer has no padding token); expected the tokenizer it was saved with.")
    model = open_model(files)
    if isinstance(verse_format, VerseFormat):
        _refuse_unfit(files, tokenizer, verse_format, n_pieces=model.config.vocab_size)
    return model, tokenizer, verse_format


def _refuse_unfit(files: ModelFiles, tokenizer: Any, verse_format: VerseFormat, *, n_pieces: int) -> None:
    """Refuse a format whose marks a tokenizer does not have, or that a model does not know; and have no text padded or cut short.

    Args:
        n_pieces: of the model.

    Raises:
        RlpoetError: there is such a mark.
    """
    for mark in verse_format.marks:
        if (number := tokenizer.convert_tokens_to_ids(mark)) is None or not 0 <= number < n_pieces:
            raise RlpoetError(f"{files}: broken policy (its tokenizer has no mark {mark!r:.60}); expected the tokenizer it was saved with.")
    if (backend := getattr(tokenizer, "backend_tokenizer", None)) is not None:
        backend.no_padding()  # a file may ask for 10^9 pieces of it
        backend.no_truncation()


def open_adapter(
    folder: Path, *, lang: str | None = None, inference_only: bool = False, **opening: bool
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, Format]:
    """Base and adapter as one whole model in float32, with the adapter's tokenizer and format.

    Args:
        opening: how its base is opened; see ``find_model``.

    An adapter another program made names its base in ``adapter_config.json`` and has no fingerprint; it is taken at its word.

    Raises:
        RlpoetError: no such base, a base whose weights are others, or broken files.
    """
    told = read_base(folder)
    files = base_of(folder, told, **opening)
    refuse_circle(folder, files)
    if "fingerprint" in told and (found := fingerprint(files)) != told["fingerprint"]:
        raise RlpoetError(
            f"{folder}: adapter of base {told['base']!r} with fingerprint {told['fingerprint']}, but {files} has {found}; "
            "expected the weights it was trained on. Put them back, or train the adapter again."
        )
    source = files.folder / files.gguf if files.gguf else files.folder
    if inference_only and not (folder / "tokenizer.json").exists():  # of a shipped policy, which writes with its base's
        model, tokenizer, verse_format = open_files(source, lang=lang, inference_only=True, **opening)
        if merge(model, folder):
            return model, tokenizer, verse_format
    model, tokenizer, verse_format = open_files(source, lang=lang, **opening)
    if (folder / "tokenizer.json").exists():
        tokenizer = open_tokenizer(ModelFiles(folder))
    if (folder / "verse_format.json").exists() or (folder / "plain_format.json").exists():
        verse_format = load_format(folder, lang=lang)
    if told.get("vocab_size", model.config.vocab_size) != model.config.vocab_size:
        grow(model, told["vocab_size"], like=int(tokenizer.pad_token_id))
    try:
        with silent(), quiet():
            import peft

            whole = peft.PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
    except Exception as error:
        if not is_of_files(error):
            raise  # a bug, ours or a library's, to be seen whole
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RlpoetError(f"{folder}: broken adapter ({first[:160]}); expected adapter_model.safetensors that fits {files}.") from error
    return whole, tokenizer, verse_format
