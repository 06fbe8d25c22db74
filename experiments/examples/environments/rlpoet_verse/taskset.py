"""The tasks as a taskset of verifiers (0.4, API v1): ``vf-eval rlpoet-verse``, ``vf-validate rlpoet-verse``, and prime-rl.

The reward is ``verse``; its parts are metrics of their own (``rhyme``, ``meter`` ...), so each is seen in the log by itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import verifiers.v1 as vf

from rlpoet_verse.attacks import faults
from rlpoet_verse.canon import stanzas_of
from rlpoet_verse.scoring import Compose, Judged, judge
from rlpoet_verse.specs import LANGS, Choice, VerseSpec, spec

__all__ = ["VerseData", "VerseTask", "VerseTaskConfig", "VerseTaskset", "VerseTasksetConfig"]


class VerseData(vf.TaskData):
    """A task of ``rlpoet_verse.specs``: its prompt, and what the rewards are asked."""

    lang: str
    form: str
    author: str | None = None
    theme: tuple[str, ...] = ()
    difficulty: float = 0.0


class VerseTaskConfig(vf.TaskConfig):
    """How a poem is scored: ``--env.taskset.task.compose mean``."""

    compose: Compose = "product"
    """``product`` or ``mean`` of the parts; see ``rlpoet_verse.scoring``."""
    copying_index: str = ""
    """File of an index of texts that may not be copied, made by ``rlpoet evaluate --corpus FILES --index FILE``."""


class VerseTask(vf.Task[VerseData, vf.State, VerseTaskConfig]):
    """Asks for a poem, and scores the last reply."""

    @property
    def spec(self) -> VerseSpec:
        data = self.data
        return VerseSpec(data.lang, data.form, data.prompt_text, data.difficulty, data.author, data.theme)

    @vf.reward(weight=1.0)
    async def verse(self, trace: vf.Trace) -> float:
        return self._judge(trace).total

    @vf.metric
    async def parts(self, trace: vf.Trace) -> dict[str, float]:
        return dict(self._judge(trace).parts)

    async def validate(self, runtime: vf.Runtime) -> bool | None:
        """Whether stanzas by people earn .95 and attacks .2 at most; None where the environment has no stanza of that form."""
        config, known = self.config, stanzas_of(self.data.lang, self.data.form)
        if not known:
            return None
        return not any(faults(self.spec, stanza, compose=config.compose, index=config.copying_index) for stanza in known)

    def _judge(self, trace: vf.Trace) -> Judged:
        return judge(self.spec, trace.last_reply, compose=self.config.compose, index=self.config.copying_index)


class VerseTasksetConfig(vf.TasksetConfig):
    """Which tasks there are: ``--env.taskset.langs '["fr"]'``, ``--env.taskset.hardest 0.5``."""

    seed: int = 0
    langs: tuple[str, ...] = LANGS
    forms: tuple[str, ...] = ()
    """Of these forms alone; of all where empty."""
    themes: float = 0.5
    """Share of tasks that name a theme."""
    authors: float = 0.25
    """Share of tasks that name a poet."""
    easiest: float = 0.0
    hardest: float = 1.0
    """Range of the forms' difficulty, 1 less the share of the shipped policy's poems that keep the form."""
    task: VerseTaskConfig = VerseTaskConfig()


class VerseTaskset(vf.Taskset[VerseTask, VerseTasksetConfig]):
    """Endless: take as many tasks as you need. One seed always gives the same tasks."""

    INFINITE = True

    def load(self) -> Iterator[VerseTask]:
        config = self.config
        choice = Choice(config.langs, config.forms, config.themes, config.authors, config.easiest, config.hardest)
        for index in itertools.count():
            one = spec(config.seed, index, choice)
            data = VerseData(
                prompt=one.prompt,
                name=f"{one.lang}/{one.form}/{index}",
                lang=one.lang,
                form=one.form,
                author=one.author,
                theme=one.theme,
                difficulty=one.difficulty,
            )
            yield VerseTask(data, config.task)
