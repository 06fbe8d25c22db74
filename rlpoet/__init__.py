"""rlpoet: verse that can be heard, scored and learned, in French, Spanish, English and languages of your own.

The names below are all that a first program needs. Each is imported when it is first used, so that ``import rlpoet`` is quick and
a question about verse loads no torch.

>>> import rlpoet
>>> rlpoet.rhymes("amour", "jour", lang="fr")
True
>>> rlpoet.scan("Sous le pont Mirabeau coule la Seine", lang="fr").syllables
10
>>> rlpoet.explain("Sous le pont Mirabeau coule la Seine", lang="fr").endings[0].gender
'f'
>>> rlpoet.score("L'ombre du soir descend\\nEt la forêt est sombre", lang="fr", form="couplet").found
'xx'
>>> [word.word for word in rlpoet.words("ombre", lang="fr")][:3]
['sombre', 'nombre', 'pénombre']

``load_policy`` opens a language model that writes verse, and ``train`` teaches one to rhyme::

    policy = rlpoet.load_policy("fr-tb", seed=1)
    print(policy.sample([Prompt("fr", "quatrain-abab")]).texts[0])  # Prompt is rlpoet.types.Prompt
    folder = rlpoet.train(lang="fr", minutes=8)
    policy = rlpoet.load_policy(folder)
"""

import importlib
import sys
from typing import Any

__rlpoet__ = True
__version__ = "0.1.0"
__all__ = ["__version__", "explain", "load_policy", "rhymes", "scan", "score", "train", "words"]

FACE = {  # name -> module that defines it; the types are in __init__.pyi
    "explain": "rlpoet.prosody.explain",
    "load_policy": "rlpoet.rollout",
    "rhymes": "rlpoet.prosody.rhyme",
    "scan": "rlpoet.prosody.meter",
    "score": "rlpoet.evaluation.score",
    "train": "rlpoet.training.run",
    "words": "rlpoet.analysis.rhyme_dictionary",
}


def __getattr__(name: str) -> Any:
    if name not in FACE:
        raise AttributeError(f"module 'rlpoet' has no attribute {name!r}; expected one of {', '.join(__all__)}, or a module in it.")
    value = globals()[name] = getattr(importlib.import_module(FACE[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *FACE})


def _show_in_notebooks() -> None:
    """Have IPython, where it runs, draw poems and explanations."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        importlib.import_module("rlpoet.reporting.notebook").register(shell.display_formatter.formatters["text/html"])


_show_in_notebooks()
