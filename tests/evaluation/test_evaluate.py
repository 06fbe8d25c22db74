"""Bits per character are honest, intervals hold their values, odd poems do no harm, and the verb says it all."""

from __future__ import annotations

import json
import math
import unicodedata
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_policy import BAUDELAIRE, VERLAINE, tiny_policy
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from policies.evaluate import rewards_of
from policies.formats.data import Piece, encode
from policies.formats.plain import PlainFormat
from policies.likelihood import Excerpt, annotated_groups, excerpts_of, poem_costs, row_nats, score_poems
from policies.pretraining.model import bits_per_char
from rewards.rhyme import Rhyme
from rlpoet import registry
from rlpoet.analysis.coherence import coherence
from rlpoet.analysis.intervals import Share, proportion_bounds, ratio_bounds
from rlpoet.cli.main import main
from rlpoet.corpus import Columns, Poem, write_poems
from rlpoet.corpus.poem import printed
from rlpoet.evaluation.diversity import batch_variety
from rlpoet.evaluation.form import PoemFacts, measure, poem_facts
from rlpoet.evaluation.human_baseline import figures, human_stanzas
from rlpoet.evaluation.measures import all_figures, counted
from rlpoet.evaluation.poems import EvaluationPoem, read_evaluation_poems, sampled_evaluation_poems
from rlpoet.evaluation.repetition import VARIETY, self_bleu, variety
from rlpoet.evaluation.second_judge import second_judge
from rlpoet.prosody.digest import verse_version
from rlpoet.prosody.forms import form
from rlpoet.reporting.progress import Pulse
from rlpoet.text import canonical
from rlpoet.types import Prompt

AUTUMN = Poem((VERLAINE, BAUDELAIRE), "Paul Verlaine")


@pytest.fixture(scope="module")
def policy():
    return tiny_policy()


def naive_nats(policy, context, tokens):
    """One forward pass a token, nothing shared."""
    total = 0.0
    ids = list(context)
    for token in tokens:
        with torch.no_grad():
            logits = policy.model(input_ids=torch.tensor([ids])).logits[0, -1].double()
        total -= float(logits.log_softmax(-1)[token])
        ids.append(token)
    return total


# -- bits per character -----------------------------------------------------------------------------


def test_nats_are_those_of_a_naive_loop_over_the_whole_poem(policy):
    poem = printed(AUTUMN, "fr")
    expected, context = 0.0, [policy.tokenizer.convert_tokens_to_ids("<|bos|>")]
    for group in annotated_groups([poem], "fr")[0].groups:
        header, body = (policy.codec.many_ids([part])[0] for part in policy.format.write(group, poem.author))
        expected += naive_nats(policy, [*context, *header], body)
        context += [*header, *body]
    cost = score_poems(policy, [poem], window=512)
    assert cost.nats[0] == pytest.approx(expected, rel=1e-5)
    assert cost.bits_per_char == pytest.approx(expected / math.log(2) / len(poem.text), rel=1e-5)


def test_every_mark_but_the_header_is_charged(policy):
    poem = printed(AUTUMN, "fr")
    bodies = [policy.format.write(group, poem.author)[1] for group in annotated_groups([poem], "fr")[0].groups]
    assert score_poems(policy, [poem]).tokens == (sum(len(policy.codec.many_ids([body])[0]) for body in bodies),)
    assert all(body.startswith("<|") and body.endswith("<|end|>") for body in bodies)


def test_a_model_that_knows_nothing_pays_the_whole_vocabulary_for_every_token():
    own = tiny_policy()
    with torch.no_grad():
        for parameter in own.model.parameters():
            parameter.zero_()
    cost = score_poems(own, [printed(AUTUMN, "fr")])
    vocabulary = own.model.config.vocab_size
    assert cost.perplexity == pytest.approx(vocabulary, rel=1e-5)
    assert cost.bits_per_char == pytest.approx(cost.tokens[0] * math.log2(vocabulary) / cost.characters[0], rel=1e-5)


def test_characters_are_those_of_the_printed_text_with_its_breaks(policy):
    poem = printed(Poem((("L’ombre  est là;", "***", "Seule"), ("Rien",), ("123",)), " "), "fr")
    assert poem.text == "L'ombre est là ;\nSeule\n\nRien\n" and poem.author is None
    assert score_poems(policy, [poem]).characters == (len(poem.text),)


line = st.text(st.sampled_from("aéIœ’'«»“”… -—?!;:,.\u00a0`´x"), max_size=24)


@settings(max_examples=200, deadline=None)
@given(line, st.sampled_from(["fr", "es", "en"]))
def test_printing_what_was_printed_changes_nothing(text, lang):
    once = canonical(text, lang)
    assert canonical(once, lang) == once


pieces = st.lists(
    st.lists(
        st.builds(Piece, st.just((1, 2, 3)), st.lists(st.integers(10, 99), min_size=1, max_size=90).map(tuple), st.just(1)), max_size=5
    ),
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(pieces, st.integers(32, 64))
def test_each_token_is_charged_once_in_order_and_no_row_is_too_long(poems, window):
    rows = excerpts_of(poems, bos=0, window=window)
    assert all(len(row.ids) <= window and row.ids[0] == 0 and not row.charged[0] for row in rows)
    for number, poem in enumerate(poems):
        charged = [i for row in rows if row.poem == number for i, mark in zip(row.ids, row.charged, strict=True) if mark]
        assert charged == [token for piece in poem for token in piece.body]


def test_a_row_weighs_the_same_alone_and_in_company(policy):
    rows = [Excerpt(0, tuple(range(5, 5 + n)), (False, *[True] * (n - 1))) for n in (3, 40, 7, 12, 2)]
    together = row_nats(policy.model, rows, pad=policy.pad)
    assert together == pytest.approx([row_nats(policy.model, [row], pad=policy.pad)[0] for row in rows], rel=1e-4)
    assert together == pytest.approx([naive_nats(policy, row.ids[:1], row.ids[1:]) for row in rows], rel=1e-4)


def test_pretraining_reports_the_same_nats(policy):
    poem = printed(AUTUMN, "fr")
    pieces = encode(annotated_groups([poem], "fr"), policy.format, policy.tokenizer)
    nats = bits_per_char(policy.model, pieces, policy.tokenizer) * math.log(2) * sum(piece.n_chars for piece in pieces[0])
    assert nats == pytest.approx(score_poems(policy, [poem]).nats[0], rel=1e-6)


ODD = {
    "one line": Poem((("Seule",),)),
    "one-line stanzas": Poem(tuple((line,) for line in VERLAINE)),
    "a long stanza": Poem((BAUDELAIRE * 60,)),
    "a long line": Poem((("ombre " * 900, "sombre"),)),
    "a line without a space": Poem((("a" * 3000,),)),
    "no rhyme to be heard": Poem((("☃é☃", "été", "zzz", "Œ"),)),
    "marks in the text": Poem((("L'<|end|> ombre <|A|>", "sombre <|bos|>"),)),
    "nobody's": Poem((BAUDELAIRE,), ""),
    "somebody unknown": Poem((BAUDELAIRE,), "Nobody Known"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_poems_cost_a_finite_number_and_lose_no_character(name, policy):
    poem = printed(ODD[name], "fr")
    cost = score_poems(policy, [poem], window=64)
    assert math.isfinite(cost.bits_per_char) and cost.bits_per_char > 0
    assert cost.characters == (len(poem.text),)
    groups = ["".join(policy.format.write(group, None)) for group in annotated_groups([poem], "fr")[0].groups]
    read = "\n".join(map(policy.read, policy.codec.many_ids(groups)))
    if name != "marks in the text":
        assert "".join(read.split()) == "".join(poem.text.split())


def test_decomposed_letters_cost_what_composed_ones_do(policy):
    text = tuple(unicodedata.normalize("NFD", line) for line in BAUDELAIRE)
    both = [printed(Poem((lines,), "Charles Baudelaire"), "fr") for lines in (BAUDELAIRE, text)]
    first, second = score_poems(policy, both).nats
    assert first == pytest.approx(second, rel=1e-6)


def test_a_plain_model_with_few_positions_is_weighed_within_them():
    letters = [*sorted(set("".join((*VERLAINE, *BAUDELAIRE)) + " \nPoème.,Vers de sylabrim0123456789x")), "</s>", "<pad>", "<unk>"]
    core = Tokenizer(models.WordLevel({letter: i for i, letter in enumerate(letters)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>", pad_token="<pad>", unk_token="<unk>")
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=len(letters), n_positions=128, n_embd=16, n_layer=1, n_head=2)).eval()
    own = SimpleNamespace(
        model=model, tokenizer=tokenizer, format=PlainFormat("fr"), lang="fr", precision=torch.float32, pad=tokenizer.pad_token_id
    )
    cost = score_poems(own, [printed(Poem((BAUDELAIRE * 3,)), "fr")])
    assert 0 < cost.bits_per_char < 2 * math.log2(len(letters))


# -- sampled poems and human ones ----------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(4, 6)), min_size=2, max_size=30))
def test_an_interval_lies_within_the_poems_ratios(counts):
    low, high = ratio_bounds(Share(*np.array(counts, dtype=float).T))
    ratios = [part / whole for part, whole in counts]
    assert min(ratios) - 1e-9 <= low <= high <= max(ratios) + 1e-9


def test_more_poems_make_a_narrower_interval_around_the_value():
    widths = []
    for n in (20, 2000):
        low, high = proportion_bounds(Share(np.arange(n) % 2.0, np.ones(n)))
        assert low <= 0.5 <= high
        widths.append(high - low)
    assert widths[1] < widths[0] / 5
    assert 0.8 < widths[1] / (2 * 1.96 * 0.5 / 2000**0.5) < 1.2  # the textbook's interval of a share


def test_distinct_words_have_an_interval_that_holds_their_own_value():
    facts = [PoemFacts(1, 1, 2, 2, (f"w{i % 40}", f"v{i}")) for i in range(100)]
    found = figures(facts)
    low, high = found["distinct_end_words_95"]
    assert low <= found["distinct_end_words"] <= high and found["distinct_end_words"] == 140 / 200


def test_what_nothing_was_asked_of_is_absent():
    assert figures([]) == {"n": 0}
    assert "rhyme_pairs" not in figures([PoemFacts(0, 0, 4, 4, ("a",))])


def test_a_perfect_human_quatrain_counts_for_the_form_of_its_scheme_alone():
    asked = [form(name, "fr") for name in ("couplet", "quatrain-abab", "quatrain-abba")]
    found = human_stanzas([BAUDELAIRE, VERLAINE], "fr", asked, 10)
    assert found == {"couplet": [], "quatrain-abab": [(0, "quatrain-abab")], "quatrain-abba": []}
    assert poem_facts(Prompt("fr", "quatrain-abab"), "\n".join(BAUDELAIRE)).perfect


def test_opening_lines_are_no_end_words_of_the_poem_anywhere():
    prompt = Prompt("fr", "couplet", opening=("Le chat dort",))
    text = "Le chat dort\nla mer mord"
    assert poem_facts(prompt, text).end_words == ("mord",) and poem_facts(Prompt("fr", "couplet"), text).end_words == ("dort", "mord")
    assert (
        measure([prompt] * 2, [text] * 2)["distinct_end_words"]
        == batch_variety([prompt] * 2, [text] * 2)["samples/distinct_end_words"]
        == 0.5
    )


# -- the verb -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory, policy) -> Path:
    folder = tmp_path_factory.mktemp("policy")
    policy.save(folder)
    write_poems(folder / "poems.jsonl", [AUTUMN, Poem((BAUDELAIRE[::-1],), "Someone Else", columns={"type": "Love"})])
    return folder


def test_the_verb_answers_in_json(saved, capsys):
    argv = ["evaluate", "--policy", str(saved), "--poems", str(saved / "poems.jsonl"), "--n", "3", "--forms", "couplet", "quatrain-abab"]
    assert main([*argv, "--json", "--threads", "1", "--prior", "none"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["poems"] == 2 and told["poems_of_unknown_author"] == 1 and told["lang"] == "fr"
    assert told["characters"] == len(printed(AUTUMN, "fr").text) + len(printed(Poem((BAUDELAIRE,)), "fr").text)
    for key in ("bits_per_char", "perplexity"):
        assert told[key + "_95"][0] <= told[key] <= told[key + "_95"][1]
    assert told["bits_per_char"] == pytest.approx(told["nats"] / math.log(2) / told["characters"])
    assert told["perplexity"] == pytest.approx(math.exp(told["nats"] / told["tokens"]))
    assert set(told["sampled"]) == {"couplet", "quatrain-abab", "all"} and told["sampled"]["all"]["n"] == 6
    assert told["human"]["quatrain-abab"]["rhyme_pairs"] == 1.0


def test_the_verb_shows_tables(saved, capsys):
    argv = ["evaluate", "--policy", str(saved), "--poems", str(saved / "poems.jsonl"), "--where", "type=Love", "-n", "2", "--threads", "1"]
    argv += ["--forms", "couplet", "--prior", "none"]
    assert main(argv) == 0
    shown = capsys.readouterr().out
    assert "bits per character" in shown and "reads 1 poems" in shown and "pairs that rhyme" in shown and "human" in shown


def test_the_verb_says_what_is_copied_and_keeps_the_index(saved, tmp_path, capsys):
    argv = [
        "evaluate",
        "--policy",
        str(saved),
        "--n",
        "2",
        "--forms",
        "quatrain-abab",
        "--index",
        str(tmp_path / "i.npz"),
        "--prior",
        "none",
    ]
    held = ["--poems", str(saved / "poems.jsonl")]
    assert main([*argv, *held, "--corpus", str(saved / "poems.jsonl"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["human"]["all"]) >= {key + end for key in VARIETY for end in ("", "_95")}
    assert told["human"]["all"]["whole_lines_copied"] > 0.0  # both poems of this corpus have Baudelaire's lines
    assert 0.0 <= told["sampled"]["all"]["copied_lines"] <= 1.0
    assert main(argv) == 0
    assert "whole lines of the corpus" in capsys.readouterr().out
    assert main([*argv, *held, "--corpus", "none.jsonl"]) == 2 and "no such file" in capsys.readouterr().err


def naive_bleu(poems):
    """Each poem against all others by the definition, counting and clipping by hand."""
    out = []
    for i, own in enumerate(poems):
        others = [poem for j, poem in enumerate(poems) if j != i]
        logs = []
        for n in range(1, 5):
            grams = [tuple(own[k : k + n]) for k in range(len(own) - n + 1)]
            if not grams:
                continue
            most = {gram: max(sum(tuple(o[k : k + n]) == gram for k in range(len(o) - n + 1)) for o in others) for gram in set(grams)}
            hits = sum(min(grams.count(gram), most[gram]) for gram in most)
            one = n > 1
            logs.append(math.log((hits + one) / (len(grams) + one)) if hits + one else -math.inf)
        near = min((len(o) for o in others), key=lambda length: (abs(length - len(own)), length))
        out.append(math.exp(min(0.0, 1 - near / len(own)) + sum(logs) / len(logs)) if logs else 0.0)
    return sum(out) / len(out)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=9), min_size=2, max_size=6))
def test_self_bleu_is_the_mean_of_bleu_against_all_others(poems):
    assert self_bleu(poems) == pytest.approx(naive_bleu(poems), abs=1e-12)


def test_variety_counts_what_two_small_poems_repeat():
    told = variety([["La mer la nuit", "et la Nuit !"], ["la mer", "le jour"]])
    assert told["repeated_end_words"] == 0.25  # nuit, nuit, mer, jour
    assert told["end_word_entropy"] == pytest.approx(1.5)
    assert told["distinct_2"] == 7 / 9 and told["distinct_3"] == 1.0  # la mer and la nuit come twice
    assert "copied_lines" not in told and variety([]) == variety([[]]) == {}


def test_the_same_poem_every_time_is_as_poor_as_can_be():
    one, many = ["La mer", "la nuit"], [[f"mot{i} rime{i}", f"autre{i} vers{i}"] for i in range(20)]
    poor, rich = variety([one] * 20), variety(many)
    assert poor["self_bleu"] == 1.0 and rich["self_bleu"] == 0.0
    assert poor["distinct_2"] == 3 / 60 and rich["distinct_2"] == 1.0
    assert poor["end_word_entropy"] == 1.0 and rich["end_word_entropy"] == pytest.approx(math.log2(40))
    for told in (poor, rich):
        assert all(told[key + "_95"][0] <= told[key] <= told[key + "_95"][1] for key in VARIETY if key in told)


@pytest.mark.parametrize(
    "argv, message",
    [
        (["--policy", "nowhere", "--n", "1"], "nowhere"),
        (["--policy", "SAVED", "--index", "none.npz"], "none.npz: No such file"),
        (["--policy", "SAVED", "--n", "0"], "nothing to measure"),
        (["--n", "4"], "expected --policy fr, or --texts FILE --lang fr"),
        (["--texts", "POEMS"], "no language"),
        (["--texts", "none.txt", "--lang", "fr"], "no such file"),
        (["--policy", "SAVED", "--rewards", "rime"], "did you mean 'rhyme'"),
        (["--policy", "SAVED", "--n", "-1"], "--n: -1; expected 0 or more"),
        (["--policy", "SAVED", "--window", "8"], "expected 32 tokens or more"),
        (["--policy", "SAVED", "--forms", "couplt"], "did you mean 'couplet'"),
        (["--policy", "SAVED", "--poems", "none.jsonl"], "no such file"),
        (["--policy", "SAVED", "--poems", "POEMS", "--where", "typ=Love"], "did you mean 'type'"),
    ],
)
def test_what_cannot_be_measured_is_one_line(argv, message, saved, capsys):
    assert main(["evaluate", *({"SAVED": str(saved), "POEMS": str(saved / "poems.jsonl")}.get(word, word) for word in argv)]) == 2
    shown = capsys.readouterr().err
    assert message in shown and shown.count("\n") == 1


# -- poems from anywhere ---------------------------------------------------------------------------------


@pytest.fixture
def texts(tmp_path) -> Path:
    """What `generate --out` writes, a run's after.json, and a plain file with a stanza twice."""
    quatrain = "\n".join(BAUDELAIRE)
    (tmp_path / "samples.txt").write_text(f"# fr quatrain-abba, temperature 0.9, seed 1\n{quatrain}\n\n", encoding="utf-8")
    prompts = [{"lang": "fr", "form": "quatrain-abab", "author": None, "opening": []}] * 2
    item = {"figures": {}, "prompts": prompts, "texts": [quatrain, BAUDELAIRE[0]]}
    (tmp_path / "after.json").write_text(json.dumps(item), encoding="utf-8")
    (tmp_path / "plain.txt").write_text(f"{quatrain}\n\n{quatrain}\n\nUn seul vers\n", encoding="utf-8")
    return tmp_path


def evaluation_poems(path, *forms):
    return read_evaluation_poems([str(path)], "fr", [form(name, "fr") for name in forms], columns=Columns())


def test_a_text_is_held_to_what_its_label_or_its_run_asked_for(texts):
    (labelled,), _ = evaluation_poems(texts / "samples.txt")
    assert labelled.group == "quatrain-abba" and labelled.lines[0].startswith("Souvent")
    with (texts / "samples.txt").open("a", encoding="utf-8") as file:  # as a second `generate --out` adds to it
        file.write("# fr couplet, temperature 0.9, seed 2\nUn vers\nUn autre\n\n")
    assert [own.group for own in evaluation_poems(texts / "samples.txt")[0]] == ["quatrain-abba", "couplet"]
    found, _ = evaluation_poems(texts / "after.json")
    assert [own.group for own in found] == ["quatrain-abab"] * 2 and len(found[1].lines) == 1
    assert evaluation_poems(texts)[0] == found  # a run's folder is its after.json


def test_a_plain_text_is_held_to_the_form_it_keeps_best_and_counts_as_often_as_it_stands_there(texts):
    found, left_out = evaluation_poems(texts / "plain.txt")
    assert [own.group for own in found] == ["quatrain-abab"] * 2 and left_out == 1
    found, left_out = evaluation_poems(texts / "plain.txt", "couplet")
    assert [own.group for own in found] == ["couplet"] * 3 and left_out == 0


def test_figures_of_a_perfect_and_a_broken_poem(texts):
    found, _ = evaluation_poems(texts / "after.json")
    told = all_figures(counted(found, {"rhyme": Rhyme()}), seed=0)
    assert told["rhyme_pairs"] == told["second_rhyme_pairs"] == told["reward_rhyme"] == 0.5
    assert told["second_agreement"] == 1.0  # of the pairs that are there
    kinds = {key: value for key, value in told.items() if key.startswith("kind_") and not key.endswith("_95")}
    assert sum(kinds.values()) == pytest.approx(1.0) and "kind_none" not in kinds
    assert not any(key.startswith("prior") for key in told)
    assert all(told[key + "_95"][0] <= told[key] <= told[key + "_95"][1] for key in told if key + "_95" in told)


def test_coherence_and_style_are_told_whatever_rewards_are_shown(texts):
    found, _ = evaluation_poems(texts / "plain.txt")
    named = [
        EvaluationPoem(Prompt("fr", own.prompt.form, author), own.lines, own.group) for own in found for author in ("Victor Hugo", None)
    ]
    told = all_figures(counted(named, {}), seed=0)
    assert told["coherence"] == pytest.approx(coherence(found[0].lines, "fr")) and told["coherence"] > 0.5
    assert 0.0 < told["style_of_a_poet"] < 1.0
    assert told["style_of_the_author"] in (0.0, 1.0)  # of the two that were asked of somebody
    assert "style_of_the_author" not in all_figures(counted(found, {}), seed=0)


def test_the_prior_charges_written_poems_what_it_charges_held_out_ones(policy, texts):
    found, _ = evaluation_poems(texts / "plain.txt")
    own = counted(found, {}, costs=poem_costs(policy, [poem.lines for poem in found]))[0].cost
    cost = score_poems(policy, [printed(Poem((BAUDELAIRE,)), "fr")])
    assert own == (pytest.approx(cost.nats[0], rel=1e-5), cost.tokens[0], cost.characters[0])


def test_a_reward_that_no_prompt_asks_for_is_absent_and_an_empty_poem_costs_nothing():
    empty = EvaluationPoem(Prompt("fr", "couplet"), (), "couplet")
    told = all_figures(counted([empty], {"acrostic": registry.load("rlpoet.rewards", "acrostic")()}), seed=0)
    assert "reward_acrostic" not in told and told["rhyme_pairs"] == 0.0


def test_any_text_is_measured_without_a_policy_beside_people(texts, saved, capsys):
    argv = ["evaluate", "--texts", str(texts / "plain.txt"), "--lang", "fr", "--human", str(saved / "poems.jsonl"), "--prior", "none"]
    assert main([*argv, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["texts"]["all"]["n"] == 2 and told["human"]["all"]["perfect_stanzas"] == 1.0 and told["policy"] is None
    assert (
        told["versions"]["ear"] == verse_version()[:12] and set(told["versions"]["rewards"]) >= {"rhyme", "meter"} and "prior" not in told
    )
    assert main([*argv, "--rewards", "rhyme"]) == 0
    shown = capsys.readouterr().out
    assert "second judge: pairs that rhyme" in shown and "reward rhyme" in shown and "rhyme: " in shown
    assert f"ear {verse_version()[:12]}" in shown


def test_every_part_of_the_work_is_told_as_it_goes_on(texts, saved, monkeypatch, capsys):
    told, part = {}, Pulse.part

    def noted(pulse, words, total):
        tick, done = part(pulse, words, total), told.setdefault(words, [total])
        return lambda n, *more: (done.append(n), tick(n, *more))[1]

    monkeypatch.setattr(Pulse, "part", noted)
    argv = ["--policy", str(saved), "--n", "2", "--forms", "couplet", "--poems", str(saved / "poems.jsonl"), "--prior", str(saved)]
    assert main(["evaluate", *argv, "--rewards", "rhyme", "--texts", str(texts / "plain.txt"), "--json"]) == 0
    groups = ("sampled", "texts", "human")
    parts = [
        "writing",
        "listening to the poems",
        "reading them",
        *(f"{what} {own}" for own in groups for what in ("weighing", "measuring")),
        "judging their sense",
    ]
    assert list(told) == parts and told["writing"] == [2, 2]
    assert all(len(told[f"measuring {own}"]) > 1 for own in ("sampled", "texts")) and told["listening to the poems"][0] == 2
    figures = json.loads(capsys.readouterr().out)
    assert list(figures)[:4] == ["policy", "lang", "seed", "versions"] and list(figures)[-4:] == [*groups, "sense"]


def test_poems_are_sampled_in_the_manner_of_each_author_in_turn(policy):
    found = sampled_evaluation_poems(policy, [form("couplet", "fr")], 5, policy.authors[:2], temperature=1.0, tick=lambda n: None)
    assert [own.prompt.author for own in found].count(policy.authors[0]) == 2 and len(found) == 5


# -- the second judge ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lang, a, b, rhyme",
    [
        ("fr", "Prennent des albatros, vastes oiseaux des mers,", "Le navire glissant sur les gouffres amers.", True),
        ("fr", "des hommes d'équipage", "le temps des mers", False),
        ("es", "Cuando me paro a contemplar mi estado", "y a ver los pasos por do me ha llevado", True),
        ("es", "corazón", "amor", False),
        ("es", "cómico", "rico", False),
        ("en", "Shall I compare thee to a summer's day?", "Rough winds do shake the darling buds of May,", True),
        ("en", "love", "move", False),
        ("en", "", "day", False),
    ],
)
def test_the_second_judge_hears_plain_rhymes_and_is_symmetric(lang, a, b, rhyme):
    judge = second_judge(lang)
    assert judge.rhyme(a, b) == judge.rhyme(b, a) == rhyme


@pytest.mark.parametrize(
    "lang, line, syllables",
    [
        ("fr", "Souvent, pour s'amuser, les hommes d'équipage", 12),
        ("fr", "Qui suivent, indolents compagnons de voyage,", 12),
        ("fr", "Qu'il est doux", 3),
        ("es", "Cuando me paro a contemplar mi estado", 11),
        ("es", "corazón", 4),
        ("es", "cómico", 2),
        ("en", "Shall I compare thee to a summer's day?", 10),
        ("en", "", 0),
    ],
)
def test_the_second_judge_counts_plain_lines(lang, line, syllables):
    assert syllables in second_judge(lang).lengths(line)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=30), st.sampled_from(["fr", "es", "en"]))
def test_the_second_judge_takes_any_text(text, lang):
    judge = second_judge(lang)
    assert judge.rhyme(text, text) in (True, False) and all(n >= 0 for n in judge.lengths(text))


def test_rewards_that_are_not_named_are_those_that_can_judge_the_language():
    everywhere = set(registry.names("rlpoet.rewards")) - {"lexicon"}
    assert set(rewards_of([], "fr")) == everywhere | {"lexicon"} and set(rewards_of([], "experiments/languages/it")) == everywhere
    assert list(rewards_of(["meter", "lexicon", "meter"], "experiments/languages/it")) == ["meter", "lexicon"]
