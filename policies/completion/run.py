"""Complete the poem of a file, and show the proposals."""

from __future__ import annotations

import dataclasses
import re
import secrets

from policies.causal_lm import CausalPolicy
from policies.completion.complete import Completion, Wishes, complete
from policies.completion.config import CompleteConfig
from policies.loading.files import rhyming
from rlpoet.corpus.authors import parse_authors
from rlpoet.errors import RlpoetError
from rlpoet.reporting.progress import Pulse
from rlpoet.reporting.terminal import console, write_plain, write_row
from rlpoet.rollout import load_policy
from rlpoet.text import read_text


def run(config: CompleteConfig) -> int:
    """Print the proposals; 1 if a gap of the best one stays."""
    return show(config, read_text(config.file))


def show(config: CompleteConfig, text: str) -> int:
    """Complete a text and print the proposals; 1 if a gap of the best one stays.

    Raises:
        RlpoetError: see ``complete``; --form with --scheme, or lengths that need a scheme.
    """
    asked, length = form_of(config)
    seed = secrets.randbelow(2**31) if config.seed is None else config.seed
    policy = load_policy(config.policy or rhyming(config.lang or "fr"), seed=seed, lang=config.lang, inference_only=True)
    if not isinstance(policy, CausalPolicy):
        raise RlpoetError(f"complete: {type(policy).__name__} cannot be given the end of a line; expected a policy of rlpoet's own class.")
    author = None if config.author is None else next(iter(parse_authors(config.author, policy.authors)))
    wishes = Wishes(config.n, config.max_draws, config.temperature, config.top_p, author, config.allow_unknown)
    with Pulse(console(stderr=True)) as pulse:
        tick = pulse.part("gaps", sum("_" in row for row in text.splitlines()))
        found = complete(policy, text, asked=asked, length=length, acrostic=config.acrostic, wishes=wishes, tick=tick)
    for number, one in enumerate(found, start=1):
        if config.json:
            item = {**dataclasses.asdict(one), "filled": dict(one.filled), "unfilled": dict(one.unfilled), "seed": seed}
            write_row(item)
        else:
            write_plain(_shown(one, number, len(found)))
    if found[0].unfilled:
        for line, wanted in found[0].unfilled:
            write_plain(f"Line {line} stays open: no line with {wanted} in at most {config.max_draws} draws.\n", stderr=True)
        write_plain("Set --max_draws higher, or ask for less.\n", stderr=True)
        return 1
    return 0


def _shown(one: Completion, number: int, n: int) -> str:
    text = one.text if one.text.endswith("\n") else one.text + "\n"
    if n == 1:
        return text
    return f"# {number} of {n}\n{text}" + ("\n" if number < n else "")


def form_of(config: CompleteConfig) -> tuple[str | None, int | None]:
    """The form that is asked for, by name or as ``scheme/lengths``, and the one length where there is no form.

    Raises:
        RlpoetError: --form with --scheme or --meter; several lengths without a scheme.

    >>> form_of(CompleteConfig("-", scheme="abba", meter="11")), form_of(CompleteConfig("-", meter="12"))
    (('abba/11', None), (None, 12))
    """
    if config.form is not None:
        if config.scheme is not None or config.meter is not None:
            raise RlpoetError("--form: given with --scheme or --meter; expected one or the other.")
        return config.form, None
    if config.scheme is not None:
        return f"{config.scheme}/{config.meter or ''}", None
    if config.meter is not None and not re.fullmatch(r"[1-9]\d?", config.meter.strip()):
        raise RlpoetError(f"--meter: {config.meter!r} without --scheme; expected one number of syllables, or a scheme too.")
    return None, None if config.meter is None else int(config.meter)
