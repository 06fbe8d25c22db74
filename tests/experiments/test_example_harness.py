"""The benchmark as tasks of the LM evaluation harness: its prompts, sampling and figures, run in the harness where that is installed."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from rlpoet.evaluation.bench import BenchConfig, bench_prompts
from rlpoet.evaluation.bench.prompts import VERSION
from rlpoet.evaluation.bench.run import figures_of_answers

FOLDER = Path(__file__).parents[2] / "experiments" / "examples" / "harness"
LANGS = ("fr", "es", "en")
NERVAL = "Je suis le ténébreux, le veuf, l'inconsolé,\nMa seule étoile est morte, et mon luth constellé"
BAUDELAIRE = (
    "Souvent, pour s'amuser, les hommes d'équipage\nPrennent des albatros, vastes oiseaux des mers,\n"
    "Qui suivent, indolents compagnons de voyage,\nLe navire glissant sur les gouffres amers."
)
ANSWERS = (  # to the first eight French prompts: distique, abab, abba, sonnet, and again
    f"<think>Douze syllabes.</think>\n{NERVAL}",
    f"```\n{BAUDELAIRE}\n```",
    BAUDELAIRE,  # right lines, in another order of rhymes
    NERVAL,  # too few lines
    "",
    "Voici l'amour\nEt voilà le jour\nVoici la cour\nEt voilà la tour",  # too short; its rhymes are heard, and earn nothing
    BAUDELAIRE.replace("gouffres amers", "gouffres"),
    "\n".join([BAUDELAIRE] * 3 + [NERVAL]),
)
MEASURES = ("perfect_stanzas", "right_lines", "rhyme_pairs", "lines_in_meter")


@pytest.fixture(scope="module")
def verse():
    """The module that the YAML files name."""
    spec = importlib.util.spec_from_file_location("harness_verse", FOLDER / "verse.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def said(name):
    """A YAML file of the harness, without what stands in the file that it includes."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: f"!function {loader.construct_scalar(node)}")
    return yaml.load((FOLDER / name).read_text(encoding="utf-8"), Loader)


def by_bench(answers, verse):
    asked = [(one.asked, verse.poem_of(answer)) for one, answer in zip(bench_prompts("fr"), answers, strict=False)]
    return figures_of_answers(asked)


def test_the_tasks_ask_as_the_benchmark_does(verse):
    shared, defaults = said("_verse"), BenchConfig()
    options = shared["generation_kwargs"]
    assert (options["temperature"], options["max_gen_toks"], options["until"]) == (defaults.temperature, defaults.max_tokens, [])
    assert said("rlpoet_verse.yaml")["task"] == [f"rlpoet_verse_{lang}" for lang in LANGS]
    for lang in LANGS:
        task = said(f"rlpoet_verse_{lang}.yaml")
        assert (task["include"], task["task"], task["metadata"]["version"]) == ("_verse", f"rlpoet_verse_{lang}", VERSION)
        rows = verse.prompts(**task["dataset_kwargs"], **task["metadata"])[shared["test_split"]]
        assert rows[shared["doc_to_text"]] == [one.text for one in bench_prompts(lang)]
        assert set(rows["lang"]) == {lang} and rows["form"] == [one.form for one in bench_prompts(lang)]


def test_the_figures_are_those_of_the_benchmark(verse):
    rows = verse.prompts("fr")["test"]
    singly = [verse.figures(doc, [answer]) for doc, answer in zip(rows, ANSWERS, strict=False)]
    expected = by_bench(ANSWERS, verse)
    assert 0 < expected["perfect_stanzas"] < expected["right_lines"] < 1  # answers of all kinds
    for metric in said("_verse")["metric_list"]:
        name, values = metric["metric"], [one[metric["metric"]] for one in singly]
        own = sum(values) / len(values) if metric["aggregation"] == "mean" else verse.ratio(values)
        assert own == pytest.approx(expected[name]), name
    assert {metric["metric"] for metric in said("_verse")["metric_list"]} == set(MEASURES) == set(singly[0])


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # the harness is not this project's code
def test_the_harness_reports_the_figures_of_the_benchmark(verse):
    lm_eval = pytest.importorskip("lm_eval", reason="lm_eval is not installed")
    from lm_eval.api.model import LM
    from lm_eval.tasks import TaskManager

    class Known(LM):
        """Gives the known answers, in order."""

        def generate_until(self, requests, disable_tqdm=False):
            assert [request.args[0] for request in requests] == [one.text for one in bench_prompts("fr")[: len(ANSWERS)]]
            return list(ANSWERS)

        def loglikelihood(self, requests, disable_tqdm=False):
            raise NotImplementedError

        loglikelihood_rolling = loglikelihood

    told = lm_eval.simple_evaluate(
        Known(), tasks=["rlpoet_verse_fr"], limit=len(ANSWERS), task_manager=TaskManager(include_path=str(FOLDER)), bootstrap_iters=0
    )
    found, expected = told["results"]["rlpoet_verse_fr"], by_bench(ANSWERS, verse)
    assert {name: found[f"{name},none"] for name in MEASURES} == pytest.approx({name: expected[name] for name in MEASURES})
    assert told["versions"]["rlpoet_verse_fr"] == VERSION


@pytest.mark.slow
def test_the_harness_asks_a_model_from_its_command_line(tmp_path):
    pytest.importorskip("lm_eval", reason="lm_eval is not installed")
    from tiny_plain import gpt2, plain_tokenizer, save_plain

    tokenizer = plain_tokenizer()
    folder = save_plain(tmp_path / "model", gpt2(tokenizer), tokenizer)
    command = [sys.executable, "-m", "lm_eval", "run", "--model", "hf", "--model_args", f"pretrained={folder},max_length=512"]
    command += ["--include_path", str(FOLDER), "--tasks", "rlpoet_verse", "--limit", "2", "--device", "cpu"]
    command += ["--gen_kwargs", "max_gen_toks=8", "--output_path", str(tmp_path / "out"), "--log_samples"]
    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", check=False, env={**os.environ, "HF_HUB_OFFLINE": "1"}, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    results = json.loads(next((tmp_path / "out").rglob("results_*.json")).read_text(encoding="utf-8"))["results"]
    assert set(results) == {"rlpoet_verse", *(f"rlpoet_verse_{lang}" for lang in LANGS)}
    assert all(0.0 <= results[f"rlpoet_verse_{lang}"]["right_lines,none"] <= 1.0 for lang in LANGS)
    samples = next((tmp_path / "out").rglob("samples_rlpoet_verse_en*.jsonl")).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["doc"]["text"] for line in samples] == [one.text for one in bench_prompts("en")[:2]]
