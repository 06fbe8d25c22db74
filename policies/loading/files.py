"""Where a policy's files are and how they are opened: shipped names, folders, runs, adapters, GGUF files, the hub's cache.

Nothing is ever fetched unasked. A model that was not saved by this project opens with a ``PlainFormat``.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from policies.loading.checks import check_folder
from policies.loading.eight_bits import EIGHT_BITS, open_eight_bits
from policies.loading.gguf import plain_folder
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.registry import CAUSAL_LM, class_of, first_import
from rlpoet.rollout import ADAPTER, LATEST, RUNS, newest

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SHIPPED = Path(__file__).parents[1] / "pretrained"
CONFIG = "config.json"
HUB = "hf:"
LIBRARIES = ("transformers", "huggingface_hub", "torch", "tokenizers", "safetensors", "peft")  # that read files of a model


@dataclass(frozen=True)
class ModelFiles:
    """What a name stands for on disk.

    Attributes:
        folder: where the files lie.
        gguf: name of the GGUF file in it, where that is the model.
        adapter: whether the folder holds a LoRA adapter alone, to be put on its base.
        trusted: whether Python code in the folder may be run, for an architecture that transformers does not have.
        keep_gguf: whether a converted GGUF file stays in the user's cache folder.
    """

    folder: Path
    gguf: str | None = None
    adapter: bool = False
    trusted: bool = False
    keep_gguf: bool = True

    def __str__(self) -> str:
        return str(self.folder / self.gguf if self.gguf else self.folder)


def find_model(source: str | Path, *, allow_download: bool = False, trust_remote_code: bool = False, keep_gguf: bool = True) -> ModelFiles:
    """The files of a shipped prior (``fr``) or rhyming policy (``fr-tb``), a folder, a run or ``latest``, an adapter, a GGUF file,
    ``hf:owner/name`` on the hub.

    Args:
        allow_download: fetch a hub model that the local cache does not hold; without ``hf:`` nothing is looked for there.
        trust_remote_code, keep_gguf: as ``ModelFiles`` has them.

    Raises:
        UnknownName: nothing of that name is shipped or on disk.
        RlpoetError: a folder without a model or with one that no library should open (``policies.loading.checks``), a hub model that
            is not in the cache, or a download that failed.
    """
    found = _found(source, allow_download=allow_download, trust_remote_code=trust_remote_code)
    if found.gguf is None:  # which may lie anywhere, beside anything
        check_folder(found.folder)
    return replace(found, trusted=trust_remote_code, keep_gguf=keep_gguf)


def _found(source: str | Path, *, allow_download: bool, trust_remote_code: bool) -> ModelFiles:
    name, path = str(source), Path(source)
    if name.startswith(HUB):
        cached = _from_hub(name.removeprefix(HUB), allow_download=allow_download, with_code=trust_remote_code)
        if cached is None:
            raise RlpoetError(
                f"{name}: not in the cache of Hugging Face; expected a model that is. Where a verb has --allow_download, it fetches one."
            )
        return ModelFiles(cached)
    shipped = {path.parent.name: path.name == ADAPTER for path in sorted(SHIPPED.glob("*/*config.json")) if path.name in (CONFIG, ADAPTER)}
    if name in shipped:
        return ModelFiles(SHIPPED / name, adapter=shipped[name])
    if name == LATEST and not path.exists():
        return ModelFiles(newest(RUNS))
    if path.suffix == ".gguf" and path.is_file():
        return ModelFiles(path.parent, gguf=path.name)
    for folder in (path, path / "policy"):
        if (folder / ADAPTER).exists():
            return ModelFiles(folder, adapter=True)
        if (folder / CONFIG).exists():
            return ModelFiles(folder)
    if (kind := class_of(path)) != CAUSAL_LM:
        raise RlpoetError(f"{path}: a policy of class {kind!r}; expected a Hugging Face model. Open it with rlpoet.load_policy.")
    if path.exists():
        raise RlpoetError(f"{path}: no policy in it (no config.json); expected a folder with config.json and model.safetensors.")
    fix = "Or give the folder of a trained policy, a .gguf file, or hf:OWNER/NAME for a Hugging Face model in the local cache."
    raise UnknownName("policy", name, shipped, fix=fix)


def rhyming(lang: str) -> str:
    """The shipped policy that was trained to rhyme in a language, or else its prior, or else the name as it is.

    >>> rhyming("xx")
    'xx'
    """
    trained = f"{lang}-tb"
    return trained if any((SHIPPED / trained / name).exists() for name in (CONFIG, ADAPTER)) else lang


def locate(source: str | Path) -> Path:
    """Folder of a policy by any of its names; see ``find_model``."""
    return find_model(source).folder


def open_model(files: ModelFiles, **options: Any) -> PreTrainedModel:
    """The weights in float32, or as ``options`` of ``from_pretrained`` say.

    Raises:
        RlpoetError: broken or unfit files.
    """
    with first_import("transformers.modeling_utils"):
        from transformers import AutoModelForCausalLM, PreTrainedModel  # noqa: F401  # the second brings in what takes long

    if files.gguf is None and (files.folder / EIGHT_BITS).exists():
        return _read(files, open_eight_bits)
    model, found = _opened(
        files, AutoModelForCausalLM, {"dtype": torch.float32, "output_loading_info": True, "ignore_mismatched_sizes": True, **options}
    )
    _refuse_unlike(files, found)
    return cast("PreTrainedModel", model)


def _refuse_unlike(files: ModelFiles, found: Mapping[str, Any]) -> None:
    """Refuse weights that are not those of the model that its configuration describes: a library would draw them by chance.

    Args:
        found: what transformers says of them.

    Raises:
        RlpoetError: some are missing, or have another shape.
    """
    told = [f"{name} is {tuple(has)} for {tuple(wants)}" for name, has, wants in sorted(found["mismatched_keys"])]
    told += [f"{name} is missing" for name in sorted(found["missing_keys"])]
    if told:
        more = f", and {len(told) - 1} more" if len(told) > 1 else ""
        raise RlpoetError(f"{files}: broken policy ({told[0]}{more}); expected the weights of the model in config.json. Save it again.")


def open_encoder(files: ModelFiles) -> PreTrainedModel:
    """The weights of a model that embeds text, without a head, in float32.

    Raises:
        RlpoetError: broken or unfit files.
    """
    from transformers import AutoModel

    return _opened(files, AutoModel, {"dtype": torch.float32})


def open_tokenizer(files: ModelFiles) -> PreTrainedTokenizerBase:
    """The tokenizer beside the weights, or in the GGUF file.

    Raises:
        RlpoetError: broken or missing files.
    """
    from transformers import AutoTokenizer

    if files.gguf is not None and not files.keep_gguf:  # without unpacking the weights a second time
        return _opened(replace(files, gguf=None), AutoTokenizer, {"gguf_file": files.gguf})
    return _opened(files, AutoTokenizer, {})


def grow(model: PreTrainedModel, n_rows: int, *, like: int) -> None:
    """Give the tables of tokens so many rows; a new one is a copy of row ``like``, so that it is the same wherever it is made."""
    old = model.get_input_embeddings().weight.shape[0]
    model.resize_token_embeddings(n_rows, mean_resizing=False)
    with torch.no_grad():
        for table in {id(t.weight): t.weight for t in (model.get_input_embeddings(), model.get_output_embeddings())}.values():
            table[old:] = table[like].clone()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No progress bars for the loading of a few megabytes, and no warnings, which quote files as they are; as it was afterwards."""
    from transformers.utils import logging as hf_logging

    was_on, level = hf_logging.is_progress_bar_enabled(), hf_logging.get_verbosity()
    hf_logging.disable_progress_bar()
    hf_logging.set_verbosity_error()
    try:
        yield
    finally:
        hf_logging.set_verbosity(level)
        if was_on:
            hf_logging.enable_progress_bar()


def _opened(files: ModelFiles, kind: Any, options: dict[str, Any]) -> Any:
    def read(folder: Path) -> Any:
        # given as False where it is not allowed: left out, transformers would ask on standard input
        return kind.from_pretrained(folder, local_files_only=True, trust_remote_code=files.trusted, **options)

    if files.gguf is None:
        return _read(files, read)
    _need("gguf", files)

    def read_plain(folder: Path) -> Any:
        with plain_folder(folder / str(files.gguf), lambda place: _unpack(folder, str(files.gguf), place), keep=files.keep_gguf) as place:
            return read(place)

    return _read(files, read_plain)


def _unpack(folder: Path, gguf: str, place: Path) -> None:
    """Write the model of a GGUF file as a plain folder."""
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    given: dict[str, Any] = {"gguf_file": gguf, "local_files_only": True}
    whole = {"quantization_config": transformers.GgufConfig(dequantize=True)} if hasattr(transformers, "GgufConfig") else {}
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, trust_remote_code=False, **whole, **given)
    model.hf_quantizer = None  # its weights are whole now; with it save_pretrained refuses
    model.config.__dict__.pop("quantization_config", None)
    AutoTokenizer.from_pretrained(folder, trust_remote_code=False, **given).save_pretrained(place)
    model.save_pretrained(place)


def _read(files: ModelFiles, read: Callable[[Path], Any]) -> Any:
    try:
        with quiet():
            return read(files.folder)
    except Exception as error:
        if not is_of_files(error) and not _without_table(files.folder):
            raise  # a bug, ours or a library's, to be seen whole
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if isinstance(error, ImportError):
            raise RlpoetError(f"{files}: needs what is not installed ({first[:160]}); expected it for this model. Install it.") from error
        if not files.trusted and "trust_remote_code" in str(error):
            raise RlpoetError(
                f"{files}: brings Python code of its own, which is not run unasked; expected an architecture that transformers has. "
                "Read the code, then set --trust_remote_code."
            ) from error
        wanted = (
            "a GGUF file of an architecture transformers reads"
            if files.gguf
            else "config.json, model.safetensors and tokenizer.json that fit"
        )
        raise RlpoetError(f"{files}: broken policy ({first}); expected {wanted}.") from error


def is_of_files(error: Exception) -> bool:
    """Whether an exception, raised while a model is opened, says that its files are missing, broken or do not fit.

    safetensors, pickle and the hub's checks of a configuration raise kinds of their own; tokenizers raises bare ``Exception``, torch
    ``RuntimeError`` for weights of another shape, transformers ``OSError`` and ``ValueError``, and ``KeyError`` for an entry that a file
    lacks. An entry of a configuration can have any kind raised, but then in a library that reads it: the last frame tells. What is raised
    elsewhere is a bug.
    """
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError

    kinds = (OSError, ValueError, KeyError, RuntimeError, EOFError, pickle.UnpicklingError, SafetensorError, StrictDataclassError)
    if type(error) is Exception or (isinstance(error, kinds) and not isinstance(error, NotImplementedError | RecursionError)):
        return True
    frames = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and not isinstance(error, MemoryError) and any(name in Path(frames[-1]).parts for name in LIBRARIES)


def _without_table(folder: Path) -> list[str]:
    """JSON files of a model that hold no table, on which libraries stumble in any way."""
    found = []
    for name in ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"):
        try:
            found += [] if isinstance(json.loads((folder / name).read_text(encoding="utf-8")), dict) else [name]
        except FileNotFoundError:
            continue
        except (ValueError, RecursionError):
            found.append(name)
    return found


def _need(package: str, files: ModelFiles) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise RlpoetError(
            f"{files}: the package {package} is not installed; expected it for this kind of file. pip install 'rlpoet[{package}]'."
        )


def _from_hub(name: str, *, allow_download: bool, with_code: bool = False) -> Path | None:
    """Snapshot folder of a hub model in the local cache, fetched first where that is allowed."""
    from huggingface_hub import snapshot_download, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(name, "config.json")
    except (HFValidationError, ValueError):  # no hub name: a path that does not exist
        return None
    if isinstance(found, str):
        return Path(found).parent
    if not allow_download:
        return None
    patterns = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "README.md", *(["*.py"] if with_code else [])]
    try:
        return Path(snapshot_download(name, allow_patterns=patterns))
    except Exception as error:  # requests, httpx and the hub each raise their own
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RlpoetError(
            f"{HUB}{name}: cannot be downloaded ({first[:160]}); expected a public model and a network. "
            "Or give a folder that holds the model."
        ) from error
