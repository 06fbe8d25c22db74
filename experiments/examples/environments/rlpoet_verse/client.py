"""What is sent to the server and what comes back, and OpenEnv's client of it.

async with VerseClient(base_url="http://localhost:8000") as client:
    asked = await client.reset(seed=3)
    result = await client.step(PoemAction(poem="..."))
    print(result.reward, result.observation.parts)
"""

from __future__ import annotations

from typing import Any

from openenv.core.client_types import StepResult
from openenv.core.env_client import EnvClient
from openenv.core.env_server.types import Action, Observation, State
from pydantic import Field


class PoemAction(Action):
    """A poem that is handed in."""

    poem: str


class PoemObservation(Observation):
    """What is asked, and after the poem what it earned.

    Attributes:
        parts: score of each part that the task asks for, in [0, 1].
        total: the reward, in [0, 1].
    """

    prompt: str = ""
    lang: str = ""
    form: str = ""
    author: str | None = None
    theme: list[str] = Field(default_factory=list)
    parts: dict[str, float] = Field(default_factory=dict)
    total: float = 0.0


class VerseClient(EnvClient[PoemAction, PoemObservation, State]):
    """A client of ``rlpoet_verse.server``."""

    def _step_payload(self, action: PoemAction) -> dict[str, Any]:
        return action.model_dump()

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[PoemObservation]:
        seen = payload.get("observation") or {}
        known = {name: value for name, value in seen.items() if name in PoemObservation.model_fields}
        observation = PoemObservation(**{**known, "done": bool(payload.get("done")), "reward": payload.get("reward")})
        return StepResult(observation=observation, reward=payload.get("reward"), done=bool(payload.get("done")))

    def _parse_state(self, payload: dict[str, Any]) -> State:
        return State(**payload)
