"""The environment as a server of OpenEnv: ``rlpoet-verse-server --port 8000``, or ``create_fastapi_app`` with ``VerseServer``.

The rubric is a tree: ``verse`` with a child for each part, whose ``last_score`` says what the last poem earned of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from openenv.core.env_server.http_server import create_fastapi_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import State
from openenv.core.rubrics import Rubric

from rlpoet_verse.client import PoemAction, PoemObservation
from rlpoet_verse.environment import VerseEnvironment
from rlpoet_verse.scoring import PARTS


class PartRubric(Rubric):
    """One part of the reward; 0 where the task does not ask for it, and ``last_score`` None."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, action: PoemAction, observation: PoemObservation) -> float:
        return observation.parts.get(self.name, 0.0)


class VerseRubric(Rubric):
    """The total, with a child for each part."""

    def __init__(self) -> None:
        super().__init__()
        for name in PARTS:
            setattr(self, name, PartRubric(name))

    def forward(self, action: PoemAction, observation: PoemObservation) -> float:
        for name, child in self.named_children():
            child.last_score = None
            if name in observation.parts:
                child(action, observation)
        return observation.total

    def reset(self) -> None:
        self.last_score = None
        for child in self.children():
            child.last_score = None


class VerseServer(Environment[PoemAction, PoemObservation, State]):
    """One poem an episode. ``reset(seed=N)`` asks task N; without it the next one."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, **options: Any) -> None:
        super().__init__(rubric=VerseRubric())
        self._verse = VerseEnvironment(**options)
        self._state = State()

    def reset(self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any) -> PoemObservation:
        self._reset_rubric()
        self._state = State(episode_id=episode_id, step_count=0)
        return self._observe(self._verse.reset(task=seed, **kwargs), done=False)

    def step(self, action: PoemAction, timeout_s: float | None = None, **kwargs: Any) -> PoemObservation:
        self._verse.submit(action.poem)
        self._state.step_count += 1
        observation = self._observe(self._verse.spec.prompt if self._verse.spec else "", done=True)
        observation.reward = self._apply_rubric(action, observation)
        return observation

    @property
    def state(self) -> State:
        return self._state

    def _observe(self, prompt: str, *, done: bool) -> PoemObservation:
        spec, judged = self._verse.spec, self._verse.judged
        told = {"lang": spec.lang, "form": spec.form, "author": spec.author, "theme": list(spec.theme)} if spec else {}
        parts = dict(judged.parts) if judged else {}
        return PoemObservation(prompt=prompt, parts=parts, total=judged.total if judged else 0.0, done=done, **told)


def app() -> Any:
    """The FastAPI application, for ``uvicorn --factory rlpoet_verse.server:app``."""
    return create_fastapi_app(VerseServer, PoemAction, PoemObservation, max_concurrent_envs=64)


def main(argv: Sequence[str] | None = None) -> None:
    import uvicorn

    parser = argparse.ArgumentParser(description="Serve verse tasks by OpenEnv's protocol.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args(argv)
    uvicorn.run(app(), host=options.host, port=options.port)


if __name__ == "__main__":
    main()
