"""verifiers' own scoring on the adapters: a ``Rubric`` in 0.1, a task with a plugged reward in 0.4.

VENV/bin/python experiments/examples/interop/run_verifiers.py
"""

import asyncio
from importlib.metadata import version

from poems import CASES, PROMPT, tell
from poet_reward import REWARD

from rewards.adapters.frameworks import rubric_function


async def by_rubric() -> list[float]:
    import verifiers as vf

    rubric, found = vf.Rubric(funcs=[rubric_function(REWARD)], weights=[1.0]), []
    for label, text, _ in CASES:
        state = vf.State(prompt=PROMPT, completion=[{"role": "assistant", "content": text}], answer=label, timing=None)
        await rubric.score_rollout(state)
        assert state["metrics"] == {"weighted_mean": state["reward"]}, "the reward is logged under its name"
        found.append(state["reward"])
    return found


async def by_task() -> list[float]:
    import verifiers.v1 as vf
    from verifiers.v1.trace import AgentInfo, TraceTask

    class PoemData(vf.TaskData):
        lang: str
        form: str

    class PoemTask(vf.Task[PoemData, vf.State]):
        pass

    found = []
    for label, text, _ in CASES:
        lang, form = label.split()
        config = vf.TaskConfig(rewards={"verse": {"fn": "poet_reward:verse", "weight": 1.0}})
        task = PoemTask(PoemData(prompt=PROMPT, lang=lang, form=form), config)
        told = TraceTask(type="PoemTask", data=task.data)
        trace = vf.Trace(task=told, agent=AgentInfo(config=vf.AgentConfig(model="none")), root_reply=text)
        await task.score(trace)
        assert set(trace.rewards) == {"verse"}, "the reward is logged under the name it was plugged in by"
        found.append(trace.reward)
    return found


if __name__ == "__main__":
    number = version("verifiers")
    tell("verifiers", number, asyncio.run(by_rubric() if number.startswith("0.1.") else by_task()))
