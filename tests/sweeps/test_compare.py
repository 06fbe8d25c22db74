"""Comparisons: a grid is planned, kept and taken up again; what is said about it follows from what the runs wrote."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_policy import tiny_policy

from rlpoet.analysis.intervals import Redrawn, Share, difference, interval
from rlpoet.cli.main import main
from rlpoet.cli.verbs.ablate import COMMAND as ABLATE
from rlpoet.cli.verbs.compare import COMMAND as COMPARE
from rlpoet.config.parser import parse
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.form import poem_facts
from rlpoet.evaluation.sampled import Measured, keep
from rlpoet.reporting.poems import console
from rlpoet.sweeps import run
from rlpoet.sweeps.ablation import arms_of
from rlpoet.sweeps.compare import spelled
from rlpoet.sweeps.config import CompareConfig
from rlpoet.sweeps.figures import FIGURES, Judged, Trained, read_cell, samples_to_reach
from rlpoet.sweeps.grid import Arm, Cell, plan, state_of, write_config
from rlpoet.sweeps.page import page
from rlpoet.sweeps.results import as_json, compared, pareto_front
from rlpoet.sweeps.run import refuse_changes, run_grid
from rlpoet.sweeps.tables import SHORT, columns, leads, markdown
from rlpoet.training.config import TrainConfig
from rlpoet.training.gflownet.options import TBOptions
from rlpoet.types import Prompt

ARMS = (Arm("tb", {"algo": "tb"}), Arm("mild", {"beta": 5.0, "rewards.meter": 0.0}))


def grid(tmp_path: Path, **more) -> CompareConfig:
    return CompareConfig(**{"output_dir": str(tmp_path / "out"), "langs": ("fr", "es"), "seeds": (0, 1), **more})


# -- the grid ---------------------------------------------------------------------------------------


def test_a_grid_stopped_early_holds_whole_comparisons(tmp_path):
    cells = plan(grid(tmp_path), ARMS)
    assert [cell.name for cell in cells[:4]] == ["tb/fr-s0", "mild/fr-s0", "tb/es-s0", "mild/es-s0"] and len(cells) == 8
    assert cells[1].folder == tmp_path / "out" / "mild" / "fr-s0"


def test_settings_of_the_arm_win_over_those_of_the_language_and_these_over_the_common_ones(tmp_path):
    common = TrainConfig(beta=1.0, tb=TBOptions(replay=0.5), openings=0.5)
    config = grid(tmp_path, common=common, by_lang={"es": {"beta": 2.0, "tb": {"replay": 0.25}, "forms": ["redondilla"]}}, minutes=3.0)
    fr, mild, es, mild_es = (cell.config for cell in plan(config, ARMS)[:4])
    assert (fr.beta, mild.beta, es.beta, mild_es.beta) == (1.0, 5.0, 2.0, 5.0)
    assert (fr.tb.replay, es.tb.replay, es.forms, es.openings, es.minutes) == (0.5, 0.25, ("redondilla",), 0.5, 3.0)
    assert (mild.rewards, fr.rewards) == ({"rhyme": 1.0, "meter": 0.0}, {"rhyme": 1.0, "meter": 1.5})
    assert (es.lang, es.seed, es.threads) == ("es", 0, 1)  # one thread each, they stand side by side


@pytest.mark.parametrize(
    "arms, more, message",
    [
        ((Arm("a/b", {}),), {}, "no name for a folder"),
        ((Arm("a", {}), Arm("a", {})), {}, "given twice"),
        ((Arm("a", {"bta": 1}),), {}, "did you mean 'beta'"),
        ((Arm("a", {"beta": "strong"}),), {}, "arm 'a': --beta: 'strong'"),
        ((Arm("a", {"seed": 3}),), {}, "the grid sets it"),
        ((Arm("a", {"beta.x": 3}),), {}, "beta is no table"),
        (ARMS, {"seeds": (0, 0)}, "each once"),
        (ARMS, {"langs": ()}, "--langs: none"),
        (ARMS, {"by_lang": {"e": {}}}, "did you mean 'es'"),
        (ARMS, {"common": TrainConfig(lang="en")}, "--common.lang"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_runs(tmp_path, arms, more, message):
    with pytest.raises(RlpoetError, match=message):
        plan(grid(tmp_path, **more), arms)
    assert not (tmp_path / "out").exists()


def test_a_cell_is_new_then_stopped_then_done_and_changed_once_its_settings_are(tmp_path):
    cell, other = plan(grid(tmp_path), ARMS)[:2]
    assert state_of(cell) == "new"
    write_config(cell)
    (cell.folder / "metrics.jsonl").touch()
    assert state_of(cell) == "new"  # it ended before its first checkpoint
    for name in ("config.yaml", "before.json", "checkpoint.pt"):
        (cell.folder / name).touch()
    assert state_of(cell) == "stopped"
    (cell.folder / "result.json").write_text(json.dumps({"interrupted": True}), encoding="utf-8")
    assert state_of(cell) == "stopped"
    (cell.folder / "result.json").write_text(json.dumps({"interrupted": False}), encoding="utf-8")
    assert state_of(cell) == "done"
    unimportant = dataclasses.replace(cell.config, logging_steps=3, output_dir=str(cell.folder))
    assert state_of(dataclasses.replace(cell, config=unimportant)) == "done"
    altered = dataclasses.replace(cell, config=dataclasses.replace(cell.config, beta=3.0))
    assert state_of(altered) == "changed"
    with pytest.raises(RlpoetError, match=r"beta .* -> 3\.0.*--overwrite"):
        refuse_changes([altered, other])
    asked = cell.folder / "asked.yaml"
    asked.write_text("".join(row for row in asked.read_text(encoding="utf-8").splitlines(True) if "tries" not in row), encoding="utf-8")
    assert state_of(cell) == "done"  # a setting that did not exist then had its default


def test_somebody_elses_folder_is_left_alone(tmp_path):
    (cell, *_) = plan(grid(tmp_path), ARMS)
    cell.folder.mkdir(parents=True)
    (cell.folder / "thesis.tex").touch()
    with pytest.raises(RlpoetError, match=r"no asked\.yaml"):
        state_of(cell)


def test_a_grid_that_was_killed_as_it_wrote_to_a_folder_first_begins_there_again(tmp_path):
    (cell, *_) = plan(grid(tmp_path), ARMS)
    cell.folder.mkdir(parents=True)
    (cell.folder / ".asked.yaml.1-00.part").touch()
    assert state_of(cell) == "new"


def test_a_grid_that_was_killed_as_it_emptied_a_folder_still_knows_it(tmp_path, monkeypatch):
    (cell, *_) = plan(grid(tmp_path), ARMS)
    write_config(cell)
    (cell.folder / "policy").mkdir()
    (cell.folder / "policy" / "a").touch()
    (cell.folder / "zero.log").touch()
    altered = dataclasses.replace(cell, config=dataclasses.replace(cell.config, beta=3.0))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "clear_run", killed)
    with pytest.raises(KeyboardInterrupt):
        run_grid([altered], jobs=1, out=console(stderr=True))
    assert [path.name for path in cell.folder.iterdir()] == ["asked.yaml"] and state_of(altered) == "changed"


def test_one_grid_at_a_time_and_trainings_that_a_killed_one_left_are_waited_for(tmp_path, monkeypatch, capsys):
    (cell, *_) = cells = plan(grid(tmp_path, seeds=(0,), langs=("fr",)), ARMS[:1])
    monkeypatch.setattr(run, "_start", lambda cell, state, lock: pytest.fail(f"{state}: started, and not waited for"))
    (folder := tmp_path / "out").mkdir()
    with (folder / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(RlpoetError, match="another grid is at work here"):
            run_grid(cells, jobs=1, out=console(stderr=True))
    with (folder / ".trainings.lock").open("w") as left:
        fcntl.flock(left, fcntl.LOCK_EX)

        def finish() -> None:
            write_config(cell)
            (cell.folder / "result.json").write_text("{}", encoding="utf-8")
            fcntl.flock(left, fcntl.LOCK_UN)

        timer = threading.Timer(0.3, finish)
        timer.start()
        assert run_grid(cells, jobs=1, out=console(stderr=True)) == {cell.name: "done"}
        timer.join()
    assert "Waiting for trainings of a grid that was killed" in capsys.readouterr().err


def broken(folder: Path) -> Cell:
    """A training that fails at once: its configuration cannot be read."""
    return Cell("a", "fr", 0, TrainConfig(forms=("sonet",), output_dir=str(folder / "a" / "fr-s0")))


@pytest.mark.slow
def test_a_failed_run_shows_the_end_of_its_log_and_the_others_go_on(tmp_path, capsys):
    cells = [broken(tmp_path), dataclasses.replace(broken(tmp_path / "x"), seed=1)]
    assert run_grid(cells, jobs=1, out=console(stderr=True)) == {"a/fr-s0": "failed", "a/fr-s1": "failed"}
    told = capsys.readouterr().err
    assert "exit code 2" in told and "did you mean 'sonnet'" in told


def test_an_interrupt_stops_the_children_and_begins_no_other(tmp_path):
    cells = plan(grid(tmp_path, seeds=(0,), langs=("fr",)), ARMS)
    before = signal.getsignal(signal.SIGINT)  # ignored where the suite itself was started in the background
    timer = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        assert run_grid(cells, jobs=1, out=console(stderr=True)) == {"tb/fr-s0": "stopped"}
    finally:
        timer.cancel()
    assert not cells[1].folder.exists() and signal.getsignal(signal.SIGINT) is before


DEAF = """
import pathlib, signal, sys, time
lost = []
signal.signal(signal.SIGINT, lambda *_: lost.append(1))  # as one that comes in the middle of an import
print("up", flush=True)
while not lost:
    time.sleep(0.01)
signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
pathlib.Path(sys.argv[1], "before.json").touch()  # it goes on, and begins to train
time.sleep(60)
"""


def test_a_run_that_lost_its_interrupt_while_it_started_is_asked_again(tmp_path, monkeypatch):
    (cell, *_) = plan(grid(tmp_path, seeds=(0,), langs=("fr",)), ARMS)

    def deaf(cell, state, lock):
        write_config(cell)
        process = subprocess.Popen([sys.executable, "-c", DEAF, cell.folder], stdout=subprocess.PIPE, start_new_session=True)
        assert process.stdout is not None
        with process.stdout as told:
            assert told.readline() == b"up\n"
        os.kill(os.getpid(), signal.SIGINT)
        return run.RunningProcess(cell, process=process, words=[])

    monkeypatch.setattr(run, "_start", deaf)
    monkeypatch.setattr(run, "_outcome", lambda one, stopped: "stopped" if one.process.returncode == 130 else "failed")
    assert run_grid([cell], jobs=1, out=console(stderr=True)) == {"tb/fr-s0": "stopped"}


# -- figures ----------------------------------------------------------------------------------------


def share(part: list[float]) -> Share:
    return Share(np.array(part), np.ones(len(part)))


def test_constant_data_has_an_interval_of_no_width():
    same = interval([share([0.5] * 8), share([0.5] * 8)])
    assert same.low == same.high == same.mean == 0.5
    gap = difference({0: 1.0, 1: 2.0}, {0: 0.5, 1: 1.5})
    assert gap.low == gap.high == gap.mean == 0.5 and gap.separated


def test_one_seed_says_nothing_of_what_no_poem_has_by_itself():
    assert interval([0.7]).low is None and difference({0: 0.7}, {0: 0.1}).separated is None
    assert difference({0: 0.7}, {1: 0.1}) is None
    assert interval([share([0.0, 1.0] * 20)]).low < 0.5 < interval([share([0.0, 1.0] * 20)]).high


def test_poems_on_the_same_prompts_are_compared_in_pairs():
    hard = np.tile([0.0, 1.0], 50)  # every other prompt is hard: the spread between prompts must not hide a small difference
    better = np.where(np.arange(100) < 30, 1.0, hard)
    gap = difference({0: share(list(better))}, {0: share(list(hard))})
    assert gap.mean == pytest.approx(0.15) and gap.separated and gap.high - gap.low < 0.2


def test_intervals_are_the_same_every_time():
    assert interval([share([0.0, 1.0, 1.0]), share([1.0, 0.0, 1.0])]) == interval([share([0.0, 1.0, 1.0]), share([1.0, 0.0, 1.0])])


def test_ninety_five_per_cent_of_the_intervals_hold_the_truth():
    rng = np.random.default_rng(0)
    gaps = [difference(dict(enumerate(rng.normal(1.0, 1.0, 3))), dict.fromkeys(range(3), 0.0)) for _ in range(600)]
    assert 0.92 < np.mean([gap.low <= 1.0 <= gap.high for gap in gaps]) < 0.98
    coins = [interval([share(list(rng.binomial(1, 0.8, 100).astype(float)))]) for _ in range(60)]
    assert np.mean([coin.low <= 0.8 <= coin.high for coin in coins]) > 0.85


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12), st.booleans())
def test_the_front_is_what_nothing_beats(points, low_x):
    def beats(a, b):
        return a != b and (a[0] <= b[0] if low_x else a[0] >= b[0]) and a[1] >= b[1]

    front = pareto_front(points, low_x=low_x)
    assert set(front) == {i for i, point in enumerate(points) if not any(beats(other, point) for other in points)}


def test_the_poems_of_one_prompt_are_drawn_together(tmp_path):
    (cell, *_) = plan(grid(tmp_path, seeds=(0,), langs=("fr",)), ARMS)
    prompts = tuple(Prompt("fr", "couplet", f"poet {i // 4}") for i in range(40))
    texts = tuple("la nuit\nle bruit" if i // 4 % 2 else "la nuit\nle jour" for i in range(40))
    cell.folder.mkdir(parents=True)
    for side in ("before", "after"):
        keep(cell.folder / f"{side}.json", Measured({}, prompts, texts, ()))
    (cell.folder / "result.json").write_text("{}", encoding="utf-8")
    (cell.folder / "metrics.jsonl").touch()
    figure = read_cell(cell, reach=0.8).figures["rhyme_pairs"]
    assert figure.value == 0.5 and figure.prompt.tolist() == [i // 4 for i in range(40)]
    told = interval([figure])
    apart = interval([Share(figure.part, figure.whole)])  # as if there were forty prompts
    assert told.high - told.low > 1.7 * (apart.high - apart.low)


def test_samples_to_reach_a_level_are_read_off_the_running_mean():
    flat = [(float(x), 0.5) for x in range(100, 1100, 100)]
    assert samples_to_reach(flat, 0.8) is None and samples_to_reach([], 0.8) is None
    assert samples_to_reach(flat, 0.5) == 100.0
    rising = [(float(x), x / 1000) for x in range(0, 1100, 100)]
    assert samples_to_reach(rising, 0.75) == pytest.approx(750.0)


# -- tables and page --------------------------------------------------------------------------------

POEM = "Ô temps suspends ton vol\nle chat dort\nun autre vers ici\nla mort"


def trained(cell: Cell, rhyme: list[float], *, kl: float, reached: float | None, away: Redrawn | None = None) -> Trained:
    prompt = Prompt(cell.lang, "quatrain-abab")
    figures = {"rhyme_pairs": share(rhyme), "kl": kl, "distinct_end_words": 0.8, "fresh_samples": 1000}
    figures |= {"samples_to_reach": reached} if reached is not None else {}
    curves = {"samples/rhyme_pairs": [(100.0, 0.5), (200.0, 0.6)]}
    poem = Judged(prompt, POEM, poem_facts(prompt, POEM))
    if away is not None:
        figures["target_kl"] = away
    before = {"rhyme_pairs": share([0.0] * len(rhyme)), "kl": 0.0}
    return Trained(cell, figures, before, curves, [poem], "abc", f"rlpoet train --seed {cell.seed}", [], "")


@pytest.fixture
def comparison(tmp_path):
    config = grid(tmp_path, langs=("fr",), seeds=(0, 1, 2))
    cells = plan(config, ARMS)
    done = [
        trained(cell, [1.0] * 40 if cell.arm == "tb" else [0.0, 1.0] * 20, kl=cell.seed + (cell.arm == "tb"), reached=cell.seed or None)
        for cell in cells[:-1]
    ]
    states = {cell.name: "done" for cell in cells[:-1]} | {cells[-1].name: "failed"}
    return compared(config, cells, states, done, baseline="mild", command=spelled(COMPARE, config))


def test_the_table_says_what_is_separated_and_what_is_not(comparison):
    text = markdown(comparison)
    rows = [row for row in text.splitlines() if row.startswith("|")]
    (tb, gap) = (row for row in rows if row.startswith("| tb |"))
    assert "100.0 %" in tb and "reached by 2 of 3" in tb
    assert "+50.0 points **better**" in gap  # of pairs that rhyme, over the two seeds both have
    assert "+1.000 **worse**" in gap  # of KL
    assert "+0.000 not separated" in gap  # of distinct end words
    assert any(row.startswith("| prior | 0.0 %") for row in rows)
    assert "mild/fr-s2 failed" in text and "Runs of different commits" not in text


def test_the_distance_from_the_target_comes_first_and_names_the_leader(tmp_path):
    """Also where another arm rhymes more, and with one seed, whose prompts are drawn again."""
    config = grid(tmp_path, langs=("fr",), seeds=(0,))
    noise = np.random.default_rng(0).normal(0.0, 0.2, 2000)
    far, near = (Redrawn(mean, mean + noise + own, 64, 1.0) for mean, own in ((3.0, 0.0), (2.0, noise[::-1] / 10)))

    def of(arms):
        cells = plan(config, arms)
        done = [
            trained(cell, [1.0] * 40 if cell.arm == "tb" else [0.5] * 40, kl=1.0, reached=None, away=far if cell.arm == "tb" else near)
            for cell in cells
        ]
        return compared(config, cells, {cell.name: "done" for cell in cells}, done, baseline="tb", command="rlpoet compare")

    found = of((Arm("tb", {"algo": "tb"}), Arm("ppo", {"algo": "ppo"})))
    assert next(iter(FIGURES)) == SHORT[0] == columns(found, "fr")[0] == "target_kl"
    (said,) = leads(found)
    assert said.startswith("fr: ppo is nearest the target, 2.000 [1.") and said.endswith(", better.") and "-1.000 [-1.0" in said
    assert "| nats from the target |" in markdown(found) and "nats from the target" in page(found)
    assert [cell["figures"]["target_kl"] for cell in as_json(found)["cells"]] == [3.0, 2.0]
    apart = of(ARMS)  # of another beta: another target
    assert leads(apart)[0].startswith("fr: tb rhymes most") and any("different targets" in warning for warning in apart.warnings)
    assert "target_kl" in apart.rows[-1].figures and "target_kl" not in apart.rows[-1].differences
    assert not any("different targets" in warning for warning in found.warnings)


def test_runs_without_a_distance_are_led_by_rhyme(comparison):
    assert leads(comparison)[0].startswith("fr: tb rhymes most, 100.0 %")


def test_one_seed_is_never_called_better_by_what_no_poem_has(tmp_path):
    config = grid(tmp_path, langs=("fr",), seeds=(0,))
    cells = plan(config, ARMS)
    done = [trained(cell, [1.0, 0.0], kl=float(i), reached=None) for i, cell in enumerate(cells)]
    text = markdown(compared(config, cells, {cell.name: "done" for cell in cells}, done, baseline="tb", command=""))
    assert "One seed" in text and "better" not in text and "worse" not in text


def test_a_figure_of_several_seeds_has_its_interval_in_the_table(tmp_path):
    config = grid(tmp_path, langs=("fr",), seeds=(0, 1, 2))
    cells = plan(config, ARMS)
    done = [trained(cell, [1.0, 0.0], kl=2.0 + cell.seed, reached=None) for cell in cells]
    text = markdown(compared(config, cells, {cell.name: "done" for cell in cells}, done, baseline="tb", command=""))
    assert "3.000 [0.516, 5.484]" in text  # 3 +- 4.303 * 1 / sqrt 3


class Closed(HTMLParser):
    """Counts what is opened and not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.labels: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br", "img", "link"):
            self.open.append(tag)
        self.labels += [value for key, value in attrs if key == "aria-label"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        pass


def test_the_page_stands_alone_and_says_its_pictures_in_words(comparison):
    text = page(comparison)
    parser = Closed()
    parser.feed(text)
    assert parser.open == []
    assert "http" not in text.replace("http://www.w3.org/", "") and "<script" not in text
    assert any("tb from 0.5" in label for label in parser.labels) and any("Not beaten in both" in label for label in parser.labels)
    assert "▲ better" in text and "best poem of each arm" in text and "mild/fr-s2" in text
    assert page(comparison) == text


# -- verbs ------------------------------------------------------------------------------------------


def test_the_command_on_the_page_gives_the_same_comparison():
    argv = ["compare", "--algos", "tb", "--langs", "fr", "es", "--common.beta", "3", "--common.forms", '["couplet"]', "--overwrite"]
    argv += ["--arms.hot.tb.explore", "[hot]", "--arms.hot.tb.tries", "2", "--common.rewards.meter", "0.5"]
    config = parse(COMPARE, argv[1:])
    assert config.arms == {"hot": {"tb.explore": ["hot"], "tb.tries": 2}} and config.common.rewards == {"rhyme": 1.0, "meter": 0.5}
    import shlex

    assert parse(COMPARE, shlex.split(spelled(COMPARE, config))[2:]) == config
    assert parse(ABLATE, shlex.split(spelled(ABLATE, parse(ABLATE, ["--kind", "beta"])))[2:]) == parse(ABLATE, ["--kind", "beta"])


def test_an_ablation_takes_out_one_thing_at_a_time():
    assert [arm.name for arm in arms_of("rewards", TrainConfig())] == ["full", "no-rhyme", "no-meter"]
    assert [arm.name for arm in arms_of("beta", TrainConfig(beta=11.0), betas=(22.0, 5.5, 11.0))] == ["beta-5.5", "beta-11", "beta-22"]
    arms = {
        arm.name: arm.settings
        for arm in arms_of("factors", TrainConfig(tb=TBOptions(credit="line", replay=0.5, explore=("hot",)), openings=0.0))
    }
    assert arms["no-replay"] == {"tb.replay": 0.0} and arms["no-hot"] == {"tb.explore": ()} and arms["with-openings"] == {"openings": 0.25}
    assert {"credit-poem", "objective-fl", "with-resample"} < set(arms) and "credit-line" not in arms and "with-human" not in arms
    assert "credit-poem" not in {arm.name for arm in arms_of("factors", TrainConfig(tb=TBOptions(objective="fl")))}
    assert [arm.name for arm in arms_of("factors", TrainConfig(algo="ppo"), pick=["no-lambda"])] == ["full", "no-lambda"]
    with pytest.raises(RlpoetError, match="two or more"):
        arms_of("rewards", TrainConfig(rewards={"rhyme": 1.0}))
    with pytest.raises(RlpoetError, match="did you mean 'no-whitening'"):
        arms_of("factors", TrainConfig(algo="ppo"), pick=["no-whitenin"])


def test_every_arm_of_every_ablation_is_a_run_that_train_takes(tmp_path):
    from rlpoet.training.build import check

    for recipe in (TrainConfig(), TrainConfig(tb=TBOptions(objective="fl")), TrainConfig(algo="ppo")):
        for cell in plan(grid(tmp_path, langs=("fr",), seeds=(0,), common=recipe), arms_of("factors", recipe)):
            check(cell.config)


@pytest.mark.slow
def test_a_comparison_runs_reports_and_has_nothing_left_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tiny_policy().save("prior")
    small = {"max_steps": 2, "minutes": 0, "eval_samples": 8, "prompts_per_step": 2, "group_size": 2, "report_to": "none"}
    flags = [word for key, value in small.items() for word in (f"--common.{key}", str(value))]
    argv = ["compare", "--common.policy", "prior", *flags, "--algos", "tb", "ppo", "--seeds", "0", "--output_dir", "out", "--jobs", "2"]
    assert main([*argv, "--dry_run"]) == 0 and not Path("out").exists()
    assert main(argv) == 0
    results = json.loads(Path("out/results.json").read_text(encoding="utf-8"))
    assert [cell["state"] for cell in results["cells"]] == ["done", "done"] and [row["arm"] for row in results["rows"]] == [
        "prior",
        "tb",
        "ppo",
    ]
    assert all(cell["figures"]["fresh_samples"] == 8 and cell["figures"]["cpu_minutes"] > 0 and cell["commit"] for cell in results["cells"])
    assert "when measured" not in str(results["cells"])  # counted again, the figures are those the runs wrote
    made = {path: path.stat().st_mtime_ns for path in Path("out").glob("*/*/*")}
    assert main(argv) == 0
    assert "2 of 2 runs are done already" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in Path("out").glob("*/*/*")} == made
    assert main([*argv, "--common.beta", "3"]) == 2
    assert " -> 3.0)" in capsys.readouterr().err
    assert Path("out/compare.html").stat().st_size > 5000 and "| ppo |" in Path("out/table.md").read_text(encoding="utf-8")
