# /// script
# requires-python = ">=3.11"
# dependencies = ["rlpoet", "rlpoet-verse[verifiers]"]
#
# [tool.uv.sources]
# rlpoet = { path = "../../..", editable = true }
# rlpoet-verse = { path = "../environments", editable = true }
# ///
"""Evaluate a model on verse tasks: ask it over an OpenAI-compatible URL, score its poems as verifiers does, print each part.

    uv run experiments/examples/scripts/verifiers_eval.py --model people
    uv run experiments/examples/scripts/verifiers_eval.py --model Qwen/Qwen3-0.6B --url http://localhost:8000/v1

``people`` are known stanzas: the upper end, without a model. The server may be any one; its key stands in OPENAI_API_KEY. verifiers' own
harnesses run the same tasks by ``vf-eval rlpoet-verse -m MODEL -n 100``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import urllib.request
from collections import defaultdict

import verifiers.v1 as vf
from rlpoet_verse.taskset import VerseTask, VerseTaskset, VerseTasksetConfig
from verifiers.v1.trace import AgentInfo, TraceTask

from rewards.testing.attacks import COPIED
from rlpoet.prosody.forms import form

PEOPLE = {
    (prompt.lang, form(prompt.form, prompt.lang).name): text for prompt, text in COPIED
}  # none of them is one of the environment's own


def answer(task: VerseTask, options: argparse.Namespace) -> str:
    """What the model answers, reasoning and all: the rewards read the poem out of it."""
    if options.model == "people":
        return PEOPLE[task.data.lang, task.data.form]
    asked = {"model": options.model, "messages": [{"role": "user", "content": task.data.prompt_text}], "max_tokens": options.max_tokens}
    key = os.environ.get("OPENAI_API_KEY", "none")
    request = urllib.request.Request(
        f"{options.url.rstrip('/')}/chat/completions",
        data=json.dumps(asked).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
    )
    with urllib.request.urlopen(request, timeout=options.timeout) as reply:
        return json.load(reply)["choices"][0]["message"]["content"] or ""


async def evaluate(options: argparse.Namespace) -> dict[str, list[float]]:
    """Reward and parts of each task."""
    people = options.model == "people"
    forms = sorted({name for lang, name in PEOPLE if lang in options.langs}) if people else ()
    config = VerseTasksetConfig(id="rlpoet-verse", seed=options.seed, langs=tuple(options.langs), forms=tuple(forms))
    if people:
        config = config.model_copy(update={"themes": 0.0})  # the stanzas are not about what a task would ask for
    found: dict[str, list[float]] = defaultdict(list)
    tasks = (task for task in VerseTaskset(config) if not people or (task.data.lang, task.data.form) in PEOPLE)
    for n, task in enumerate(tasks):
        if n == options.tasks:
            break
        told = TraceTask(type=type(task).__name__, data=task.data)
        trace = vf.Trace(task=told, agent=AgentInfo(config=vf.AgentConfig(model=options.model)), root_reply=answer(task, options))
        await task.score(trace)
        for name, value in {"verse": trace.reward, **trace.metrics}.items():
            if value is not None:
                found[name].append(value)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="people", help="name of the model on the server; people for known stanzas")
    parser.add_argument("--url", default="http://localhost:8000/v1", help="OpenAI-compatible server")
    parser.add_argument("--tasks", type=int, default=50)
    parser.add_argument("--langs", nargs="+", default=["fr", "es", "en"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max_tokens", type=int, default=1024)
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds to wait for an answer")
    options = parser.parse_args()
    for name, values in asyncio.run(evaluate(options)).items():
        error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
        print(f"{name:12} {statistics.mean(values):.3f} ± {1.96 * error:.3f}  {len(values)} poems")


if __name__ == "__main__":
    main()
