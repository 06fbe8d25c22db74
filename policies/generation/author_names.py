"""The authors whose manner a policy can be asked for, read from its folder without opening the model."""

from __future__ import annotations

from pathlib import Path

from policies.formats.verse import FILE, VerseFormat
from rlpoet.errors import RlpoetError, UnknownName

SHIPPED = Path(__file__).parents[1] / "pretrained"


def author_names(policy: str) -> tuple[str, ...]:
    """Names of authors, commonest first.

    Args:
        policy: a shipped policy (``fr``, ``fr-tb``), a folder, or the folder of a run.

    Raises:
        UnknownName: nothing of that name is shipped or on disk.
        RlpoetError: a policy that has no marks for authors.
    """
    for folder in (SHIPPED / policy, Path(policy), Path(policy) / "policy"):
        if (folder / FILE).is_file():
            return VerseFormat.load(folder).authors
    if Path(policy).exists():
        raise RlpoetError(f"{policy}: no {FILE} in it; expected a policy pretrained by rlpoet. A plain model takes any author's name.")
    raise UnknownName("policy", policy, sorted(path.parent.name for path in SHIPPED.glob(f"*/{FILE}")))
