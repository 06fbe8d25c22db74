"""A plain model that plans its lines: the format on any tokenizer, its masks, its log-probabilities, and every verb's way to it."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_plain import EOT, gpt2, llama, metaspace_tokenizer, plain_tokenizer, save_plain, tiny_model
from tiny_policy import BAUDELAIRE, annotated
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from policies.causal_lm import CausalPolicy
from policies.decoding.first_words import first_lines
from policies.formats import planned_grammar
from policies.formats.data import bos_id, encode
from policies.formats.identical_rhyme import comparable
from policies.formats.plain import PlainFormat
from policies.formats.plan import plan_word, with_plans, without_plans
from policies.formats.planned import PlannedCodec
from rlpoet.prosody.forms import form
from rlpoet.rollout import follows_masks
from rlpoet.text import canonical, split_poem
from rlpoet.training.gflownet.credit import parts_of
from rlpoet.types import Prompt

COUPLET, QUATRAIN = Prompt("fr", "couplet"), Prompt("fr", "quatrain-abab")
POEM = "\n".join(BAUDELAIRE)
PLANNED = PlainFormat("fr", planned=True)


def char_tokenizer() -> PreTrainedTokenizerFast:
    """One piece a character, as the smallest models have it; the line break is one of them."""
    letters = sorted({*POEM, *"Poème. Vers de 12 syllabes, rimes abcdxM:\n'-!", *"abcdefghijklmnopqrstuvwxyzàéèêç"})
    tokenizer = Tokenizer(models.BPE({piece: i for i, piece in enumerate([EOT, "<pad>", *letters])}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("\0", "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=EOT, bos_token=EOT, pad_token="<pad>")


TOKENIZERS = {"bytes": plain_tokenizer, "metaspace": metaspace_tokenizer, "letters": char_tokenizer}


@pytest.fixture(scope="module", params=sorted(TOKENIZERS))
def policy(request) -> CausalPolicy:
    tokenizer = TOKENIZERS[request.param]()
    model = llama(tokenizer) if request.param == "metaspace" else gpt2(tokenizer, positions=1000)
    return CausalPolicy(model, tokenizer, PLANNED, seed=1)


@pytest.fixture
def brief(policy, monkeypatch) -> CausalPolicy:
    """The policy, with lines so short that random weights are soon done with them."""
    return shortened(policy, monkeypatch)


def shortened(policy: CausalPolicy, monkeypatch: pytest.MonkeyPatch) -> CausalPolicy:
    monkeypatch.setattr(policy.codec, "longest", 5)
    monkeypatch.setattr(planned_grammar, "PLAN_ROOM", 4)
    return policy


def shown(policy: CausalPolicy, ids: torch.Tensor) -> str:
    return str(policy.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


# -- the text -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "lang", "word"),
    [
        ("Je voudrais aujourd'hui ;", "fr", "hui"),
        ("Peut-être, qui sait, peut-être !", "fr", "peut-être"),
        ("Il dit « L'Amour »", "fr", "Amour"),
        ("¿Quién sabe, corazón?", "es", "corazón"),
        ("And all the silken heav'n —", "en", "heav'n"),
        ("In 1857", "en", "1857"),
    ],
)
def test_the_plan_is_the_last_word_without_signs(line, lang, word):
    assert plan_word(line, lang) == word


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=9), min_size=1, max_size=4))
def test_plans_are_taken_out_again(words):
    lines = [canonical(f"{word} {other}", "fr") for word, other in itertools.pairwise([*words, words[0]])]
    assert without_plans("\n".join(with_plans(lines, "fr"))) == "\n".join(lines)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12), min_size=2, max_size=2))
def test_every_poem_survives_a_byte_level_tokenizer(lines):
    codec = PlannedCodec(PlainFormat("es", planned=True), plain_tokenizer())
    prompt = Prompt("es", "pareado")
    start, rest = codec.start_ids(prompt), codec.many_ids([codec.rest(prompt, "\n".join(lines))])[0]
    assert codec.read([*start, *rest]).split("\n") == [canonical(line, "es") for line in split_poem("\n".join(lines))]


# -- tokens and where they stand ------------------------------------------------------------------


def test_a_written_poem_has_each_plan_before_its_line_and_reads_back(policy):
    rollout = policy.write([QUATRAIN], [POEM])
    assert rollout.texts == (POEM,) and rollout.ended.all() and rollout.sounds is None
    ends = zip(rollout.end_words[0].tolist(), rollout.line_ends[0].tolist(), strict=True)
    for line, (plan, last) in zip(BAUDELAIRE, ends, strict=True):
        assert plan < last
        assert shown(policy, rollout.ids[0, : plan + 1]).endswith(f"\n {plan_word(line, 'fr')}")
        assert shown(policy, rollout.ids[0, : last + 1]).endswith(f"{plan_word(line, 'fr')}\n{line}")
    assert follows_masks(policy.masked(rollout)).all()


def test_a_plan_and_a_line_are_segments_of_their_own(policy):
    rollout = policy.write([QUATRAIN], [POEM])
    part_of, parted = parts_of(rollout, words=True)
    assert parted.all()
    drawn = part_of[0][rollout.chosen[0]].tolist()
    assert sorted(set(drawn)) == list(range(8)) and drawn == sorted(drawn)
    spelled = [shown(policy, rollout.ids[0][rollout.chosen[0] & (part_of[0] == n)]).strip() for n in range(8)]
    assert [part.split("\n")[0] for part in spelled[::2]] == [plan_word(line, "fr") for line in BAUDELAIRE]


def test_a_poem_has_the_same_tokens_whole_and_cut_at_any_line(policy):
    whole = policy.write([QUATRAIN], [POEM]).ids[0]
    for n in (1, 3):
        assert torch.equal(whole, policy.write([dataclasses.replace(QUATRAIN, opening=BAUDELAIRE[:n])], [POEM]).ids[0])


def test_pieces_of_training_are_those_of_sampling(policy):
    poem = annotated()[1]
    piece = encode([poem], policy.format, policy.tokenizer)[0][0]
    written = policy.write([Prompt("fr", "quatrain-abab", poem.author)], ["\n".join(poem.groups[0].lines)]).ids[0].tolist()
    assert [bos_id(policy.tokenizer), *piece.header, *piece.body] == written
    assert piece.n_chars == len("\n".join(poem.groups[0].lines)) + 2  # plans are no characters of the poem


# -- masks ----------------------------------------------------------------------------------------


def plans_and_lines(policy: CausalPolicy, rollout, row: int) -> list[tuple[str, str]]:
    """What was drawn, plan by plan."""
    drawn: list[list[int]] = [[]]
    for token in rollout.ids[row][rollout.chosen[row]].tolist():  # cut at breaks first: one among bytes of half a letter would be lost
        if policy.codec.ends_line(token):
            drawn.append([])
        else:
            drawn[-1].append(token)
    lines = [shown(policy, torch.tensor(ids)) for ids in drawn if ids]
    return list(zip(lines[::2], lines[1::2], strict=True))


def test_even_random_weights_end_each_line_in_its_plan_and_set_stanzas_apart(brief):
    asked = form("aa xx/8", "fr")
    prompt = Prompt("fr", asked.name, opening=("La nuit tombe sur la rivière,",))
    rollout = brief.sample([prompt], 2)
    assert rollout.ended.all() and follows_masks(brief.masked(rollout)).all()
    for row, text in enumerate(rollout.texts):
        assert [len(stanza.split("\n")) for stanza in text.split("\n\n")] == [2, 2]
        assert text.startswith(prompt.opening[0] + "\n")
        assert rollout.line_ends[row].ge(0).sum() == rollout.end_words[row].ge(0).sum() == 3
        for plan, line in plans_and_lines(brief, rollout, row):
            assert "\ufffd" in plan or plan_word(line, "fr").casefold().endswith(plan_word(plan.strip(), "fr").casefold())
            assert len(plan.split()) == 1


def walk(policy: CausalPolicy, prompt: Prompt, text: str, **options: bool):
    """The grammar after some text that follows a prompt."""
    grammar = policy.codec.grammar([prompt], policy.model.config.vocab_size, **options)
    for token in policy.codec.many_ids([text])[0]:
        assert not grammar.token_mask(grammar.mask_key(0))[token], f"{text!r}: {policy.tokenizer.decode([token])!r} is masked"
        grammar.advance([token])
    return grammar


def may(policy: CausalPolicy, grammar, text: str) -> bool:
    """Whether the first token of a text may follow."""
    return not grammar.token_mask(grammar.mask_key(0))[policy.codec.many_ids([text])[0][0]]


@pytest.mark.parametrize(
    ("written", "allowed"),
    [
        (" mers\n", False),
        (" mers\nLe navire", False),
        (" mers\nLe navire des mers", True),
        (" mers\nLe navire des Mers", True),
        (" mers\nLe navire des mers.", True),
        (" mers\nLe navire des amers", False),
        (" mers\nLe navire des mers amers", False),
        (" mers", True),
        ("", False),
    ],
)
def test_a_line_ends_only_in_its_plan(policy, written, allowed):
    assert may(policy, walk(policy, COUPLET, written), "\n") == allowed


def test_a_plan_is_one_word(policy):
    begun = walk(policy, COUPLET, " mers")
    assert not may(policy, begun, " ") and not may(policy, begun, ".") and not may(policy, walk(policy, COUPLET, ""), ".")


def test_a_word_does_not_rhyme_with_itself_unless_it_may(policy):
    prompt = dataclasses.replace(COUPLET, opening=("Le navire des mers",))
    for options, allowed in (({}, False), ({"allow_identical_rhyme": True}, True)):
        grammar = policy.codec.grammar([prompt], policy.model.config.vocab_size, **options)
        ids = policy.codec.many_ids([" mers\n"])[0]
        for n, token in enumerate(ids):
            if grammar.token_mask(grammar.mask_key(0))[token]:
                assert not allowed and n < len(ids)
                break
            grammar.advance([token])
        else:
            assert allowed
    assert comparable("Mers,") == "mers"


def test_a_line_too_long_for_verse_is_broken_off_with_its_plan(policy):
    grammar = walk(policy, COUPLET, " mers\n")
    grammar.longest = 4
    drawn = policy.codec.many_ids(["Le navire"])[0]
    for token in [*drawn, *drawn, *drawn][:4]:
        grammar.advance([token])
    forced = []
    for _ in range(20):
        allowed = (~grammar.token_mask(grammar.mask_key(0))).nonzero()[:, 0].tolist()
        assert all(policy.codec.pieces.bare[i] for i in allowed) or len(allowed) == 1
        forced.append(allowed[0])
        grammar.advance([forced[-1]])
        if policy.codec.ends_line(forced[-1]):
            break
    assert shown(policy, torch.tensor(forced)).strip() == "mers"
    assert may(policy, grammar, " mers") or may(policy, grammar, " ")  # the next plan


def test_log_probabilities_are_those_of_the_distribution_that_is_drawn(brief):
    """The masked distribution of each step by a forward pass of transformers: what TB balances."""
    rollout = brief.masked(brief.sample([COUPLET], 2))
    with torch.no_grad():
        ours = brief.log_prob(rollout)
        logits = brief.model(input_ids=rollout.ids[:, :-1]).logits.float()
    logits[..., brief.pad] = -torch.inf
    for row in range(2):
        grammar = brief.codec.grammar(rollout.prompts[row : row + 1], brief.model.config.vocab_size)
        for at in rollout.chosen[row].nonzero()[:, 0].tolist():
            step = logits[row, at - 1 : at].clone()
            grammar.allow(step)
            token = int(rollout.ids[row, at])
            assert ours[row, at].item() == pytest.approx(step.log_softmax(-1)[0, token].item(), abs=2e-4)
            grammar.advance([token])


@pytest.mark.parametrize("begun", ["", " a", " a\nun a"])
def test_the_probabilities_of_all_that_may_be_drawn_sum_to_one(begun):
    """A word after a plan, a letter after a letter, an end after a line that is done: by enumeration."""
    tokenizer = char_tokenizer()
    policy = CausalPolicy(gpt2(tokenizer), tokenizer, PLANNED)
    before = policy.codec.many_ids([begun])[0]
    candidates = [token for token in range(policy.model.config.vocab_size) if token != policy.pad]
    rollout = policy.masked(policy.continued([COUPLET] * len(candidates), [[*before, token] for token in candidates]))
    p = policy.log_prob(rollout).detach()[:, len(policy.start_ids(COUPLET)) + len(before)].exp()
    allowed = follows_masks(rollout)
    assert 0 < allowed.sum() < len(candidates)
    assert p[allowed].sum().item() == pytest.approx(1.0, abs=1e-4) and p[~allowed].sum().item() < 1e-6


# -- what the verbs do with it --------------------------------------------------------------------


def test_a_line_can_be_asked_to_end_in_a_word_and_to_begin_with_words(brief):
    policy = brief
    lines = policy.lines_ending([COUPLET, dataclasses.replace(COUPLET, opening=("Le navire des mers",))], ["mers,", "amers !"])
    assert [plan_word(line, "fr").casefold() for line in lines if line] == [
        w for w, line in zip(["mers", "amers"], lines, strict=True) if line
    ]
    assert any(lines)
    line = first_lines(policy, COUPLET, "Le navire")[0]
    assert line.startswith("Le navire") and "\n" not in line
    assert not {"tb.explore rhyme", "tb.rhyme_word_weight"} & policy.idle_options().keys()


@pytest.mark.parametrize("name", ["gpt2", "qwen3", "mistral", "gemma3", "lfm2", "mamba"])
def test_architectures_of_every_kind_write_it(name, monkeypatch):
    tokenizer = plain_tokenizer()
    policy = CausalPolicy(tiny_model(name, tokenizer), tokenizer, PLANNED, seed=1)
    rollout = shortened(policy, monkeypatch).sample([COUPLET], 2)
    assert rollout.ended.all() and all(len(split_poem(text)) == 2 for text in rollout.texts)
    assert torch.isfinite(policy.log_prob(policy.masked(rollout))).all()


def test_a_saved_policy_knows_that_it_plans(tmp_path: Path):
    tokenizer = plain_tokenizer()
    save_plain(tmp_path / "base", gpt2(tokenizer), tokenizer)
    policy = CausalPolicy.load(tmp_path / "base", lang="fr")
    assert not policy.codec.word_first
    policy.adopt(dataclasses.replace(policy.format, planned=True))
    policy.save(tmp_path / "planned")
    again = CausalPolicy.load(tmp_path / "planned", inference_only=True)
    assert isinstance(again.codec, PlannedCodec) and again.format == policy.format
    again.adopt(dataclasses.replace(again.format, planned=False))
    again.save(tmp_path / "planned")
    assert not CausalPolicy.load(tmp_path / "planned").codec.word_first
