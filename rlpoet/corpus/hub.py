"""Data sets of the Hugging Face hub by name, or any folder the ``datasets`` library can read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rlpoet.corpus.tables import Row
from rlpoet.errors import RlpoetError, UnknownName

PREFIX = "hf:"
TIMEOUT = 10  # seconds


def hub_rows(name: str, *, split: str | None = None, cache_dir: str | Path | None = None) -> Iterator[Row]:
    """The rows of a data set, all its splits one after the other unless one is named.

    Without a network the copy that an earlier download left in the library's cache is read.

    Args:
        name: ``owner/name``, ``owner/name:config``, or a local folder.

    Raises:
        UnknownName: no such split.
        RlpoetError: no such data set, one that needs a login, or no network and no copy.
    """
    from unittest import mock

    import datasets

    path, _, config = (name, "", "") if Path(name).exists() else name.partition(":")
    online = Path(path).exists() or _reachable(path)
    quiet = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        with mock.patch("datasets.config.HF_HUB_OFFLINE", not online), mock.patch("huggingface_hub.constants.HF_HUB_OFFLINE", not online):
            loaded: Any = _load(datasets, path, config or None, cache_dir)
    except ConnectionError:
        raise RlpoetError(
            f"{PREFIX}{name}: the Hugging Face hub cannot be reached, and no earlier download of it is here; expected a network. "
            "On a machine with one, download its CSV, JSON or parquet files and name those files instead."
        ) from None
    except Exception as error:  # the library raises what its parsers raise
        raise RlpoetError(f"{PREFIX}{name}: cannot be loaded ({_first_line(error)}); expected a data set of rows with poems.") from None
    finally:
        if not quiet:
            datasets.enable_progress_bars()
    parts = dict(loaded) if hasattr(loaded, "keys") else {str(loaded.split or "train"): loaded}
    if split is not None and split not in parts:
        raise UnknownName(f"{PREFIX}{name}: split", split, parts)
    for part in [split] if split is not None else parts:
        for number, row in enumerate(parts[part], start=1):
            yield f"{PREFIX}{name}[{part}]:{number}", row


def _load(datasets: Any, path: str, config: str | None, cache_dir: str | Path | None) -> Any:
    folder = Path(path)
    if (folder / "dataset_dict.json").exists() or (folder / "state.json").exists():
        return datasets.load_from_disk(path)
    return datasets.load_dataset(path, config, cache_dir=None if cache_dir is None else str(cache_dir))


def _reachable(name: str) -> bool:
    """Ask the hub for the data set once: the library itself would try for half a minute.

    Raises:
        RlpoetError: the hub answers that there is no such data set, or that it is not for everybody.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, RepositoryNotFoundError

    try:
        HfApi().dataset_info(name, timeout=TIMEOUT)
    except HFValidationError:
        raise RlpoetError(f"{PREFIX}{name}: no name of a data set; expected owner/name, such as {PREFIX}merve/poetry.") from None
    except GatedRepoError:
        raise RlpoetError(f"{PREFIX}{name}: open only to those its owner lets in; expected a login (`hf auth login`).") from None
    except RepositoryNotFoundError:
        raise RlpoetError(f"{PREFIX}{name}: the hub has no such data set; expected owner/name of one that is public.") from None
    except OfflineModeIsEnabled:
        return False
    except HfHubHTTPError as error:
        raise RlpoetError(f"{PREFIX}{name}: the hub answers: {_first_line(error)}; expected the data set. Try again later.") from None
    except Exception:  # whatever the HTTP client of the day raises when nobody answers
        return False
    return True


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:160]
