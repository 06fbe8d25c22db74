"""A benchmark of models that are asked for verse in words: 200 fixed prompts per language, figures with intervals, a leaderboard."""

from rlpoet.evaluation.bench.config import BenchConfig
from rlpoet.evaluation.bench.prompts import BenchPrompt, bench_prompts

__all__ = ["BenchConfig", "BenchPrompt", "bench_prompts"]
