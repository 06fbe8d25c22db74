"""Poems by people that show a plain model what is asked for."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from rlpoet.corpus.poem import printed
from rlpoet.corpus.read import read_poems
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.poems import human_evaluation_poems
from rlpoet.prosody.fit import guess_form
from rlpoet.prosody.forms import form_to_write
from rlpoet.types import Prompt

LOOKED_AT = 40  # stanzas of a form by people for each one shown: not all keep it
MOST_READ = 2000  # poems of a corpus, chosen by the seed


def example_poems(sources: Sequence[str], lang: str, names: Sequence[str], n: int, *, seed: int) -> tuple[tuple[Prompt, str], ...]:
    """``n`` stanzas that keep each form, with the prompt they answer; none for ``n`` 0.

    Args:
        sources: corpora.
        names: of the forms.

    Raises:
        RlpoetError: no corpus is given, or it has too few stanzas that keep a form.
    """
    if bool(n) != bool(sources):
        raise RlpoetError(
            f"--shots {n}: {'no poems to take them from' if n else 'none to take from --data'}; expected --shots 6 --data FILE, say."
        )
    if not n:
        return ()
    poems = [poem for poem in (printed(poem, lang) for poem in read_poems(sources)) if poem.stanzas]
    poems = random.Random(seed).sample(poems, min(len(poems), MOST_READ))
    found: list[tuple[Prompt, str]] = []
    for name in dict.fromkeys(names):
        form = form_to_write(name, lang)
        some = human_evaluation_poems(poems, lang, [form], LOOKED_AT * n, seed=seed)
        kept = [poem for poem in some if guess_form(poem.lines, lang, among=[form]) is not None][:n]
        if len(kept) < n:
            raise RlpoetError(
                f"--shots {n}: {len(kept)} stanzas of {', '.join(sources)} keep {form.name}; expected as many. Give more poems in --data."
            )
        found += [(replace(poem.prompt, form=form.name, author=poem.source.author if poem.source else None), poem.text) for poem in kept]
    return tuple(found)
