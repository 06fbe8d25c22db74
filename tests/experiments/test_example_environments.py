"""The package of verse tasks: installed as its README says, endless and seeded, honest to people and closed to attacks, in each toolkit."""

from __future__ import annotations

import asyncio
import importlib
import itertools
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rlpoet.prosody.forms import form

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "experiments" / "examples" / "environments"
PIP = "install --quiet --no-deps --no-index --no-build-isolation --disable-pip-version-check --target".split()


@pytest.fixture(scope="module", autouse=True)
def package():
    """The package as if it were installed."""
    sys.path.insert(0, str(EXAMPLE))
    yield
    sys.path.remove(str(EXAMPLE))
    for name in [name for name in sys.modules if name.split(".")[0] == "rlpoet_verse"]:
        del sys.modules[name]


def room(name):
    return importlib.import_module(f"rlpoet_verse.{name}")


def first_spec(lang, name, **changes):
    specs = room("specs")
    asked = specs.spec(0, 0, specs.Choice(langs=(lang,), forms=(name,), themes=0, authors=0))
    return specs.VerseSpec(**{**vars(asked), **changes})


def test_it_is_installed_with_its_tables(tmp_path):
    source = shutil.copytree(EXAMPLE, tmp_path / "source", ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    done = subprocess.run(
        [sys.executable, "-m", "pip", *PIP, str(tmp_path / "site"), str(source)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "site" / "rlpoet_verse" / "data").iterdir()} == {
        path.name for path in (EXAMPLE / "rlpoet_verse" / "data").iterdir()
    }
    assert next((tmp_path / "site").glob("rlpoet_verse-*.dist-info/METADATA")).read_text().count("License-Expression: Apache-2.0") == 1


def test_a_task_depends_on_its_seed_and_number_alone():
    specs = room("specs")
    stream = list(itertools.islice(specs.specs(5), 40))
    assert stream == [specs.spec(5, index) for index in range(40)] and stream[7] == specs.spec(5, 7)
    assert stream != list(itertools.islice(specs.specs(6), 40))
    assert len({one.prompt for one in stream}) > 30


def test_tasks_are_of_all_languages_forms_themes_and_authors():
    specs = room("specs")
    many = [specs.spec(0, index) for index in range(600)]
    assert {(one.lang, one.form) for one in many} == {(row.lang, row.name) for row in specs.forms()}
    assert {one.author for one in many} - {None} == {name for names in specs.authors().values() for name in names}
    assert {one.theme for one in many} - {()} == {words for rows in specs.themes().values() for _, words in rows}
    assert 0.4 < sum(bool(one.theme) for one in many) / len(many) < 0.6
    assert 0.15 < sum(bool(one.author) for one in many) / len(many) < 0.35


def test_every_form_is_rlpoet_s_own_by_its_main_name():
    rows = room("specs").forms()
    assert rows and all(form(row.name, row.lang).name == row.name and row.words for row in rows)
    assert all(0 <= row.acceptance <= 1 and row.difficulty == 1 - row.acceptance for row in rows)
    assert len({row.acceptance for row in rows}) > 5


def test_difficulty_chooses_among_the_forms():
    specs = room("specs")
    hard = {row.name for row in specs.Choice(langs=("fr",), easiest=0.8).rows()}
    easy = {row.name for row in specs.Choice(langs=("fr",), hardest=0.799).rows()}
    assert hard and easy and not hard & easy and hard | easy == {row.name for row in specs.forms() if row.lang == "fr"}


@pytest.mark.parametrize(
    "choice, message",
    [({"langs": ("de",)}, "language 'de': unknown"), ({"forms": ("haiku",)}, "no form is left"), ({"easiest": 1.1}, "no form is left")],
)
def test_a_choice_that_leaves_nothing_is_refused(choice, message):
    with pytest.raises(ValueError, match=message):
        room("specs").Choice(**choice)


def test_prompts_are_whole_sentences_in_the_poem_s_language():
    specs = room("specs")
    for index in range(300):
        one = specs.spec(1, index)
        assert not set("{}") & set(one.prompt) and one.prompt.endswith(".") and "  " not in one.prompt
        assert one.author is None or one.author in one.prompt
    told = [specs.spec(1, i, specs.Choice(langs=("fr",), authors=1.0)) for i in range(60)]
    assert any("d'Alphonse de Lamartine" in one.prompt for one in told)
    assert not any("de Alphonse" in one.prompt or "de Émile" in one.prompt or "d'Victor" in one.prompt for one in told)


def stanzas():
    sys.path.insert(0, str(EXAMPLE))
    found = importlib.import_module("rlpoet_verse.canon").stanzas()
    sys.path.remove(str(EXAMPLE))
    return found


@pytest.mark.parametrize("n", range(len(stanzas())))
def test_people_earn_nearly_all_and_attacks_nearly_nothing(n):
    attacks, stanza = room("attacks"), room("canon").stanzas()[n]
    theme = room("specs").themes()[stanza.lang][0][1]
    spec = first_spec(stanza.lang, stanza.form, theme=theme)
    assert attacks.faults(spec, stanza) == []
    assert len(attacks.attacks_on(spec, stanza)) >= 17
    # a check that nothing could fail is none: a mean pays some attacks, and a spoilt stanza is no longer one by people
    assert attacks.faults(spec, stanza, compose="mean")
    spoilt = room("canon").Stanza(stanza.lang, stanza.form, "spoilt", stanza.text.rsplit(" ", 1)[0] + " zqx")
    assert any(fault.startswith("spoilt") for fault in attacks.faults(spec, spoilt))


def test_parts_are_told_singly_and_only_where_they_are_asked_for():
    judge, stanza = room("scoring").judge, room("canon").stanzas_of("fr", "quatrain-abba")[0]
    plain = judge(first_spec("fr", "quatrain-abba"), stanza.text, own=True)
    assert set(plain.parts) == {"form", "rhyme", "meter", "lexicon", "repetition", "copying", "theme"} and plain.total > 0.95
    asked = first_spec("fr", "quatrain-abba", author="Victor Hugo", theme=("guerre", "soldat"))
    styled = judge(asked, stanza.text, own=True)
    assert "style" in styled.parts and styled.parts["theme"] < 0.9 and styled.total < plain.total
    assert judge(asked, stanza.text).parts["copying"] == 0.0 and judge(asked, stanza.text).total == 0.0
    chat = [{"role": "assistant", "content": f"<think>rime ?</think>{stanza.text}<|im_end|>"}]
    assert judge(first_spec("fr", "quatrain-abba"), chat, own=True) == plain


def test_one_episode_is_one_poem():
    environment = room("environment").VerseEnvironment(seed=3, start=10, stride=4)
    specs = room("specs")
    assert environment.get_reward() == 0.0 and environment.submit("ombre") == "No poem was asked for."
    assert environment.reset() == specs.spec(3, 10).prompt and environment.reset() == specs.spec(3, 14).prompt
    assert environment.reset(task=2) == specs.spec(3, 2).prompt and environment.judged is None
    stanza = room("canon").stanzas_of("es", "lira")[0]
    told = environment.reset(prompt=[{"role": "user", "content": "Escribe una lira."}], lang="es", form="lira", other=1)
    assert told == "" and environment.spec.prompt == "Escribe una lira."
    assert environment.submit(stanza.text.replace("oscura", "tranquila")) == "Thank you."
    earned = environment.get_reward()
    assert 0.0 <= earned < 0.5 and environment.submit(stanza.text).startswith("A poem was handed in already")
    assert environment.get_reward() == earned


def test_environments_made_in_a_row_ask_for_different_poems():
    made = [room("environment").VerseEnvironment() for _ in range(4)]
    assert len({environment.reset() for environment in made}) == 4


def test_rows_ask_each_text_of_a_group_for_the_same_poem():
    environment, specs = room("environment"), room("specs")
    rows = environment.rows(5, seed=2)
    for index, row in enumerate(rows):
        group = [environment.VerseEnvironment() for _ in range(3)]
        assert [one.reset(**row) for one in group] == [""] * 3  # trl appends it to the prompt, which is whole
        asked = specs.spec(2, index)
        assert [(one.spec.asked, one.spec.theme, one.spec.prompt) for one in group] == [(asked.asked, asked.theme, asked.prompt)] * 3


def test_trl_is_offered_one_tool_and_told_each_part():
    environment = room("environment")
    public = [name for name in vars(environment.VerseEnvironment) if not name.startswith("_")]
    tools = [name for name in public if callable(getattr(environment.VerseEnvironment, name))]
    assert sorted(tools) == ["get_reward", "reset", "submit"]  # trl makes a tool of every other method
    one, logged = environment.VerseEnvironment(), {}
    one.reset(lang="es", form="couplet", prompt="¡Rima!")
    one.submit("amor\ndolor")
    assert environment.log_parts([one, environment.VerseEnvironment()], log_metric=logged.__setitem__, prompts=[]) == [None, None]
    assert logged["verse/rhyme"] == 1.0 and logged["verse/meter"] == 0.0 and logged["verse/form"] == 1.0


def test_verifiers_loads_scores_and_validates_it():
    vf = pytest.importorskip("verifiers.v1", reason="verifiers is not installed")
    from verifiers.v1.trace import AgentInfo, TraceTask
    from verifiers.v1.utils.loaders import taskset_class

    taskset = room("taskset")
    assert taskset_class("rlpoet-verse") is taskset.VerseTaskset
    config = taskset.VerseTasksetConfig(id="rlpoet-verse", seed=2, langs=("fr",), forms=("quatrain-abba",), themes=0.0, authors=0.0)
    tasks = list(taskset.VerseTaskset(config).take(3))
    assert [task.data.idx for task in tasks] == [0, 1, 2] and not taskset.VerseTaskset(config).bounded
    assert asyncio.run(tasks[0].validate(None)) is True
    sonnets = taskset.VerseTasksetConfig(id="rlpoet-verse", langs=("fr",), forms=("sonnet",))
    assert asyncio.run(next(iter(taskset.VerseTaskset(sonnets).take(1))).validate(None)) is None  # no stanza of that form
    text = "Je vois dans le jardin une rose vermeille\nEt le vent"
    trace = vf.Trace(
        task=TraceTask(type="VerseTask", data=tasks[0].data), agent=AgentInfo(config=vf.AgentConfig(model="none")), root_reply=text
    )
    asyncio.run(tasks[0].score(trace))
    assert set(trace.rewards) == {"verse"} and trace.reward == 0.0
    assert trace.metrics["form"] == 0.5 and {"rhyme", "meter", "lexicon", "copying", "theme"} <= set(trace.metrics)


def test_openenv_serves_it_with_a_rubric_for_each_part():
    pytest.importorskip("openenv.core", reason="openenv-core is not installed")
    server, client = room("server"), room("client")
    environment = server.VerseServer(seed=4)
    asked = environment.reset(seed=9)
    assert asked.prompt == room("specs").spec(4, 9).prompt and not asked.done and asked.reward is None
    environment.reset(lang="es", form="couplet", prompt="¡Rima!")
    seen = environment.step(client.PoemAction(poem="amor\ndolor"))
    scores = {name: rubric.last_score for name, rubric in environment.rubric.named_rubrics()}
    assert seen.done and seen.reward == seen.total == 0.0 and scores["rhyme"] == 1.0 and scores["meter"] == 0.0 and scores["style"] is None


def test_openenv_s_client_reads_what_its_server_says():
    pytest.importorskip("openenv.core", reason="openenv-core is not installed")
    uvicorn = pytest.importorskip("uvicorn")
    import socket
    import threading

    server, client = room("server"), room("client")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = uvicorn.Server(uvicorn.Config(server.app(), host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        pass

    async def episode():
        async with client.VerseClient(base_url=f"http://127.0.0.1:{port}") as verse:
            asked = await verse.reset(seed=9)
            return asked, await verse.step(client.PoemAction(poem="ombre"))

    try:
        asked, result = asyncio.run(episode())
    finally:
        running.should_exit = True
        thread.join(timeout=10)
    assert asked.observation.prompt == room("specs").spec(0, 9).prompt and not asked.done
    assert result.done and result.reward == 0.0 and result.observation.parts["form"] < 1
