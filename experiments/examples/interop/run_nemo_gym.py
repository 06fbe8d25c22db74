"""NeMo-Gym's own resources server with ``poet_reward.compute_score`` as its verifier, asked over HTTP as NeMo-Gym's agents ask it.

    VENV/bin/python experiments/examples/interop/run_nemo_gym.py

``VerseServer`` is what a user writes: the file that the ``entrypoint`` of a ``resources_servers`` entry names. The answers are
``poems.CASES`` in the shape of OpenAI's Responses; no model, no Ray cluster and no agent runs.
"""

import logging
from importlib.metadata import version
from unittest.mock import MagicMock

from fastapi.testclient import TestClient
from nemo_gym.base_resources_server import BaseResourcesServerConfig, BaseVerifyRequest, BaseVerifyResponse, SimpleResourcesServer
from nemo_gym.server_utils import ServerClient
from poems import CASES, PROMPT, tell
from poet_reward import compute_score


class VerseRequest(BaseVerifyRequest):
    """A row of the data set: beside the prompt, ``label`` says language and form."""

    label: str


class VerseResponse(BaseVerifyResponse):
    """The reward, and each part by name: NeMo-Gym logs the mean of every number in an answer."""

    label: str
    rhyme: float
    meter: float


class VerseServer(SimpleResourcesServer):
    """Verse as a NeMo-Gym environment of one turn without tools."""

    config: BaseResourcesServerConfig

    async def verify(self, body: VerseRequest) -> VerseResponse:
        told = compute_score("rlpoet", body.response.output_text, body.label)
        return VerseResponse(**body.model_dump(), reward=told["score"], rhyme=told["rhyme"], meter=told["meter"])


def asked(label: str, text: str) -> dict:
    """What an agent posts after a model has answered."""
    said = {"type": "message", "role": "assistant", "id": "m", "status": "completed"}
    said["content"] = [{"type": "output_text", "text": text, "annotations": []}]
    response = {"id": "r", "created_at": 0.0, "model": "none", "object": "response", "output": [said]}
    response |= {"parallel_tool_calls": False, "tool_choice": "auto", "tools": []}
    return {"responses_create_params": {"input": [{"role": "user", "content": PROMPT}]}, "response": response, "label": label}


def main() -> None:
    config = BaseResourcesServerConfig(host="127.0.0.1", port=0, entrypoint="", name="verse")
    server = VerseServer(config=config, server_client=MagicMock(spec=ServerClient))
    client, got = TestClient(server.setup_webserver()), []
    for label, text, _ in CASES:
        reply = client.post("/verify", json=asked(label, text))
        assert reply.status_code == 200, reply.text
        told = reply.json()
        assert abs((2 * told["rhyme"] + told["meter"]) / 3 - told["reward"]) < 1e-6, told
        got.append(told["reward"])
    tell("nemo-gym", version("nemo-gym"), got)


if __name__ == "__main__":
    logging.disable(logging.INFO)
    main()
