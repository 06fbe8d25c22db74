"""The configuration of ``rlpoet bench``."""

from __future__ import annotations

from dataclasses import dataclass

from rlpoet.config.opening import OpeningOptions
from rlpoet.config.ranges import Count, NonNegative, Positive, Seed


@dataclass(frozen=True)
class BenchConfig(OpeningOptions):
    """Ask a model for verse by 200 fixed prompts per language, and put its figures into a leaderboard beside verse by people.

    The model is a folder, a shipped policy, a Hugging Face name, or the address of a server that speaks OpenAI's chat completions, such as
    http://localhost:8000/v1; its key is read from OPENAI_API_KEY. A model is asked in the language of the poem, through its chat template
    if it has one. A policy with marks of its own is asked for the same forms by its marks, in its own language.

    Attributes:
        model: folder, name or address of the model.
        name: name of the model on the server, and in the leaderboard; by default --model.
        langs: languages to ask in; a policy with marks of its own is asked in its own language only.
        n: number of prompts per language, from the first of the 200.
        out: leaderboard, a JSON file; a model that is in it is replaced.
        answers: JSON Lines file for prompts and answers; by default they are deleted at the end. Asked again with the same options, a run
            that was stopped goes on from it.
        human: corpora of poems by people to measure in place of the shipped figures: files, folders, hf:owner/name. Their language is the
            first of --langs.
        temperature: of sampling; 0 takes the likeliest token each time.
        max_tokens: most tokens of an answer.
        parallel: number of requests to a server, or of answers that a model writes, at the same time.
        timeout: seconds to wait for a server's answer.
        seed: of sampling and of the intervals.
    """

    model: str = ""
    name: str | None = None
    langs: tuple[str, ...] = ("fr", "es", "en")
    n: Count = 200
    out: str = "bench.json"
    answers: str | None = None
    human: tuple[str, ...] = ()
    temperature: NonNegative = 0.7
    max_tokens: Count = 512
    parallel: Count = 8
    timeout: Positive = 120.0
    seed: Seed = 0
