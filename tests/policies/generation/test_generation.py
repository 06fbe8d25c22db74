"""Everything `rlpoet generate` can be asked for, on a policy small enough to check by hand."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import os

import pytest
import torch
from tiny_policy import tiny_policy

from policies.causal_lm import CausalPolicy, locate
from policies.decoding.beams import beam_tokens
from policies.decoding.first_words import first_lines, fit_of_words
from policies.decoding.logits_processors import LogitsProcessor, Theme
from policies.decoding.sampler import Decoding
from policies.decoding.stream import LineStream
from policies.generation.choice import selection_score
from policies.generation.fused_authors import fuse
from rlpoet.cli.main import main
from rlpoet.corpus.authors import find_author, parse_authors
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.evaluation.score import score_text
from rlpoet.text import split_poem
from rlpoet.types import Prompt

QUATRAIN = Prompt("fr", "quatrain-abab")
FEW = ("--max_draws", "2")  # a policy of random weights never keeps a form


@pytest.fixture(scope="module")
def policy() -> CausalPolicy:
    return tiny_policy()


@pytest.fixture(scope="module")
def saved(tmp_path_factory, policy):
    folder = tmp_path_factory.mktemp("policy")
    policy.save(folder)
    return str(folder)


# -- beams ----------------------------------------------------------------------------------------


class Few:
    """A grammar of four pieces, so that every continuation can be listed."""

    def __init__(self, allowed):
        self.allowed = allowed

    def allow(self, logits):
        barred = torch.ones(logits.shape[-1], dtype=torch.bool)
        barred[self.allowed] = False
        logits[:, barred] = -torch.inf

    def advance(self, tokens): ...

    def keep(self, rows): ...


def test_enough_beams_find_the_likeliest_of_all_continuations(policy):
    prompt, allowed, length = policy.start_ids(QUATRAIN), [policy.end, 300, 310, 320], 3
    model = policy.model

    def log_p(tokens):
        total, ids = 0.0, list(prompt)
        for token in tokens:
            with torch.no_grad():
                row = model(input_ids=torch.tensor([ids])).logits[0, -1][allowed].log_softmax(-1)
            total += row[allowed.index(token)].item()
            ids.append(token)
        return total

    complete = [[*body, policy.end] for n in range(length) for body in itertools.product(allowed[1:], repeat=n)]
    best = sorted(complete, key=log_p, reverse=True)[:2]
    found = beam_tokens(model, prompt, Decoding(beams=40, max_new_tokens=length), end=policy.end, pad=policy.pad, n=2, grammar=Few(allowed))
    assert found == best


def test_one_beam_is_greedy(policy):
    greedy = policy.sample([QUATRAIN], temperature=0.0).texts
    assert policy.sample([QUATRAIN], beams=1).texts == greedy


def test_more_beams_never_find_a_less_likely_poem(policy):
    def best(beams):
        rollout = policy.sample([QUATRAIN], beams=beams, max_new_tokens=60, constrained=False)
        return policy.log_prob(rollout).sum().item()

    assert best(8) >= best(1) - 1e-3


def test_beams_keep_the_form_and_give_different_poems(policy):
    texts = CausalPolicy.load("fr").sample([Prompt("fr", "couplet")], 3, beams=6).texts
    assert len(set(texts)) == 3
    assert all(len(split_poem(text)) == 2 for text in texts)
    with pytest.raises(RlpoetError, match="2 for 3 poems"):
        policy.sample([QUATRAIN], 3, beams=2)


# -- repetition and theme -------------------------------------------------------------------------


def test_no_run_of_pieces_stands_twice_when_that_is_asked(policy):
    free = policy.sample([QUATRAIN], 4, temperature=0.0)
    checked = policy.sample([QUATRAIN], 4, temperature=0.0, no_repeat_ngram=2)

    def repeats(rollout):
        rows = [ids[chosen].tolist() for ids, chosen in zip(rollout.ids, rollout.chosen, strict=True)]
        text = [[t for t in row if t not in policy.codec.marks] for row in rows]
        return sum(len(row) - 1 - len(set(itertools.pairwise(row))) for row in text)

    assert repeats(free) > 0
    assert repeats(checked) < repeats(free)


def test_controls_leave_the_marks_of_the_form_alone(policy):
    logits = torch.randn(1, policy.model.config.vocab_size)
    marks = sorted(policy.codec.marks)
    shape = LogitsProcessor(Decoding(repetition_penalty=3.0, no_repeat_ngram=1), marks=marks, start=0)
    changed = shape([[*marks, 300, 301]], logits.clone())
    assert torch.equal(changed[:, marks], logits[:, marks])
    assert changed[0, 300] == -torch.inf


def test_a_penalty_of_one_and_no_theme_change_nothing(policy):
    assert LogitsProcessor(Decoding(), marks=[0], start=0).idle
    plain, shaped = (tiny_policy().sample([QUATRAIN], 2, **options).texts for options in ({}, {"repetition_penalty": 1.0, "theme": ()}))
    assert plain == shaped


def test_a_theme_lifts_the_next_piece_of_each_word_not_said_yet():
    theme = Theme([(7, 8), (9,)], [0, 1], 2.0)
    zeros = torch.zeros(3, 12)
    lifted = theme([[1, 2], [1, 7], [1, 7, 8]], zeros.clone(), [1, 1, 1])
    assert lifted[0, 7] == 2 and lifted[0, 9] == 2 and lifted[0, 8] == 0
    assert lifted[1, 8] == 4 and lifted[1, 7] == 0  # in the middle of the word
    assert lifted[2, 7] == 0 and lifted[2, 8] == 0 and lifted[2, 9] == 2  # said


def test_words_of_the_prompt_do_not_count_as_said():
    theme = Theme([(9,)], [0], 1.0)
    assert theme([[9, 1]], torch.zeros(1, 12), [1])[0, 9] == 1


@pytest.mark.parametrize("lang, word", [("fr", "nuit"), ("es", "noche"), ("en", "night")])
def test_a_theme_word_turns_up_far_more_often(lang, word):
    shipped = CausalPolicy.load(lang, seed=0)

    def share(**options):
        texts = shipped.sample([Prompt(lang, "couplet")], 24, temperature=0.9, **options).texts
        return sum(word in text.casefold() for text in texts) / 24

    assert share(theme=[word]) > share() + 0.3


def test_the_best_of_several_counts_the_theme():
    plain, themed = (score_text(text, "fr", "couplet")[0] for text in ("Le jour\nL'amour", "La mer\nAmer"))
    assert selection_score(themed, ["mer"]) > selection_score(plain, ["mer"])


# -- authors --------------------------------------------------------------------------------------

AUTHORS = ("Victor Hugo", "Paul Verlaine", "José-Maria de Heredia", "Victor de Laprade")


@pytest.mark.parametrize(
    "typed, author",
    [
        ("Paul Verlaine", "Paul Verlaine"),
        ("verlaine", "Paul Verlaine"),
        ("heredia jose", "José-Maria de Heredia"),
        ("VICTOR", "Victor Hugo"),
    ],
)
def test_part_of_a_name_finds_the_commonest_poet_who_bears_it(typed, author):
    assert find_author(typed, AUTHORS) == author


def test_a_name_nobody_bears_is_met_with_the_nearest():
    with pytest.raises(UnknownName, match="Verlaine"):
        find_author("Verlane", AUTHORS)


@pytest.mark.parametrize("text", ["hugo:x", "hugo:0", "hugo:-1", "hugo:", "hugo:inf,verlaine:1", "hugo:nan"])
def test_a_weight_that_is_none_is_an_error(text):
    with pytest.raises(RlpoetError, match="positive number"):
        parse_authors(text, AUTHORS)


def test_a_fused_author_lies_between_its_poets_and_is_saved(tmp_path):
    policy = tiny_policy()
    weights = {"Charles Baudelaire": 0.75, "Paul Verlaine": 0.25}
    name = fuse(policy, weights)
    assert fuse(policy, weights) == name and policy.authors.count(name) == 1
    embedding = policy.model.get_input_embeddings().weight
    ids = {author: policy.start_ids(Prompt("fr", "couplet", author))[1] for author in (*weights, name)}
    mean = sum(weight * embedding[ids[author]] for author, weight in weights.items())
    assert torch.allclose(embedding[ids[name]], mean)
    policy.save(tmp_path)
    again = CausalPolicy.load(tmp_path)
    assert name in again.authors
    assert len(split_poem(again.sample([Prompt("fr", "couplet", name)], max_new_tokens=4000).texts[0])) == 2


# -- opening words --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lang, words", [("fr", "Ô temps"), *(pytest.param(*each, marks=pytest.mark.slow) for each in [("es", "Yo no"), ("en", "Shall I")])]
)
def test_a_poem_goes_on_from_its_first_words(lang, words):
    lines = first_lines(CausalPolicy.load(lang, seed=0), Prompt(lang, "quatrain-abab"), words, 2)
    assert all(line.startswith(words + " ") for line in lines)


def test_the_fit_of_words_is_what_the_model_says_of_them_and_of_the_line_end(policy):
    line = "Souvent, pour s'amuser, les hommes d'équipage"
    got = fit_of_words(policy, QUATRAIN, "Souvent, pour", [line]).item()
    rollout = policy.write([QUATRAIN], [f"{line}\n{line}"])
    ids = rollout.ids[0, : int(rollout.line_ends[0, 0]) + 2].tolist()
    with torch.no_grad():
        logits = policy.model(input_ids=torch.tensor([ids])).logits[0, :-1].float()
    logits[:, policy.pad] = -30.0
    each = logits.log_softmax(-1).gather(1, torch.tensor(ids[1:])[:, None]).squeeze(1)
    assert got == pytest.approx(each[-(policy.codec.n_tokens("Souvent, pour") + 1) :].sum().item(), abs=1e-3)


@pytest.mark.parametrize("plans", [True, False])
def test_a_forward_policy_goes_on_from_its_first_words_too(plans):
    forward = tiny_policy()
    forward.adopt(dataclasses.replace(forward.format, order="forward", plans=plans))
    (line,) = first_lines(forward, QUATRAIN, "Les sanglots")
    assert line.startswith("Les sanglots")


@pytest.mark.parametrize("words", ["", "  ", "…!"])
def test_an_opening_without_a_word_is_an_error(policy, words):
    with pytest.raises(RlpoetError, match="no word"):
        first_lines(policy, QUATRAIN, words)


# -- the verb -------------------------------------------------------------------------------------


def test_streaming_prints_each_line_once_and_in_order(policy):
    out = io.StringIO()
    stream = LineStream(policy, out)
    prompt = Prompt("fr", "quatrain-abab", opening=("Souvent, pour s'amuser, les hommes d'équipage",))
    text = policy.sample([prompt], watch=stream.begin(prompt)).texts[0]
    stream.end()
    assert out.getvalue() == text + "\n"


def test_samples_are_added_to_a_file_under_their_prompts(saved, tmp_path, capsys):
    path = tmp_path / "new" / "samples.txt"
    for seed in ("1", "2"):
        assert main(["generate", "-i", saved, "--form", "couplet", "-n", "2", "-o", str(path), "--seed", seed, "--json", *FEW]) == 0
    shown = [json.loads(row)["text"] for row in capsys.readouterr().out.splitlines()]
    blocks = path.read_text(encoding="utf-8").strip().split("\n\n")
    assert [block.split("\n", 1)[0] for block in blocks] == [
        f"# fr couplet, temperature 1, top-p 0.95, seed {seed}" for seed in (1, 1, 2, 2)
    ]
    assert len(shown) == 4 and all(block.split("\n", 1)[1] == text for block, text in zip(blocks, shown, strict=True))


def test_latest_is_the_policy_saved_last(policy, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["generate", "-i", "latest"]) == 2
    assert "Train one first" in capsys.readouterr().err
    for name, when in (("b", 2_000_000_000), ("a", 1_000_000_000)):
        policy.save(tmp_path / "runs" / name / "policy")
        (tmp_path / "runs" / name / "policy" / "config.json").touch()
        os.utime(tmp_path / "runs" / name / "policy" / "config.json", (when, when))
    assert locate("latest").parent.name == "b"
    assert main(["generate", "-i", "latest", "--form", "couplet", *FEW]) == 0


def test_whole_lines_and_words_of_a_prompt(saved, capsys):
    line = "Souvent, pour s'amuser, les hommes d'équipage"
    assert main(["generate", "-i", saved, "-p", line + "\n", "--json", "--seed", "1", *FEW]) == 0
    assert json.loads(capsys.readouterr().out)["lines"][0] == line


@pytest.mark.parametrize(
    "argv, message",
    [
        (["-n", "3", "--beams", "2"], "at least as many beams"),
        (["--stream", "--json"], "--stream"),
        (["--repetition_penalty", "0"], "repetition_penalty"),
        (["-p", "x", "--opening", "y"], "expected one of them"),
        (["--author", "Nobody"], "author"),
        (["-p", "…"], "no word"),
    ],
)
def test_what_cannot_be_done_is_one_line(saved, capsys, argv, message):
    assert main(["generate", "-i", saved, *argv]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
