"""Learning rate and beta by progress: the same curves whether a machine makes thirty updates in its budget or three hundred."""

from __future__ import annotations

from rlpoet.errors import RlpoetError

FLOOR = 0.1  # of the peak: the rate of the first update and of the last
BETA_START = 0.25  # of beta, before its warm-up


def rate_factor(progress: float, warmup: float) -> float:
    """Factor of the peak learning rate: linear from a tenth to 1 over the warm-up, and over the whole budget a linear fall to a tenth.

    Args:
        progress: share of the budget that is spent; 1 and more count alike.
        warmup: share of the budget over which the rate rises; 0 for none.

    >>> [round(rate_factor(p, 0.1), 3) for p in (0.0, 0.05, 0.1, 0.5, 1.0, 1.5)]
    [0.1, 0.525, 0.91, 0.55, 0.1, 0.1]
    """
    done = min(max(progress, 0.0), 1.0)
    rise = min(1.0, FLOOR + (1.0 - FLOOR) * done / warmup) if warmup else 1.0
    return rise * (1.0 - (1.0 - FLOOR) * done)


def beta_factor(progress: float, warmup: float) -> float:
    """Factor of beta: linear from a quarter to 1 over the warm-up.

    >>> [beta_factor(p, 0.2) for p in (0.0, 0.1, 0.2, 1.0)], beta_factor(0.0, 0.0)
    ([0.25, 0.625, 1.0, 1.0], 1.0)
    """
    return min(1.0, BETA_START + (1.0 - BETA_START) * max(progress, 0.0) / warmup) if warmup else 1.0


def check_warmup(**shares: float) -> None:
    """Refuse a warm-up that is no share of the budget, such as one given in steps.

    Raises:
        RlpoetError: with the option's name.

    >>> check_warmup(beta_warmup=20)
    Traceback (most recent call last):
    rlpoet.errors.RlpoetError: --beta_warmup: 20; expected a share of the run in [0, 1], such as 0.2.
    """
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise RlpoetError(f"--{name}: {share}; expected a share of the run in [0, 1], such as 0.2.")
