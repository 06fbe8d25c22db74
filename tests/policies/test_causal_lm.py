"""The sampler draws from the model it is given, and the policy weighs what it drew."""

from __future__ import annotations

import copy

import pytest
import torch
from tiny_policy import BAUDELAIRE, VERLAINE, tiny_policy
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from policies.causal_lm import SHIPPED, CausalPolicy
from policies.decoding.sampler import Decoding, draw, sample_tokens
from policies.formats.grammar import Grammar
from policies.formats.tokenizer import train_tokenizer
from policies.formats.verse import BOS, BREAK, END
from policies.hub.decoder import CachedDecoder
from policies.llama.decoder import LlamaDecoder, can_step
from rlpoet import registry
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.prosody.forms import form
from rlpoet.rollout import load_policy
from rlpoet.text import split_poem
from rlpoet.types import Prompt

QUATRAIN = Prompt("fr", "quatrain-abab")


@pytest.fixture(scope="module")
def policy() -> CausalPolicy:
    return tiny_policy()


def reference_log_probs(policy, ids: torch.Tensor) -> torch.Tensor:
    """Hugging Face's own forward, PAD left out as in sampling, ``(B, S-1)``."""
    with torch.no_grad():
        logits = policy.model(input_ids=ids[:, :-1]).logits.float()
    logits[..., policy.pad] = -torch.inf
    return logits.log_softmax(-1).gather(2, ids[:, 1:, None])[..., 0]


@pytest.mark.parametrize("decoder", [LlamaDecoder, CachedDecoder])
def test_cached_steps_give_the_logits_of_the_whole_forward(policy, decoder):
    rows = [[5, 9, 11, 40], [7, 8]]
    ids = torch.tensor([rows[0], rows[1] + [policy.pad] * 2])
    with torch.no_grad():
        stepped = decoder(policy.model)
        logits = stepped.start(ids, torch.tensor([4, 2]), 16)
        for token in (50, 61, 3, 77):
            for row, seen in enumerate(rows):
                whole = policy.model(input_ids=torch.tensor([seen])).logits[0, -1]
                assert torch.allclose(logits[row], whole, atol=1e-4)
            rows = [[*seen, token] for seen in rows]
            logits = stepped.step(torch.tensor([token, token]))


def test_rows_that_go_on_are_not_disturbed_by_rows_that_ended(policy):
    decoder = LlamaDecoder(policy.model)
    with torch.no_grad():
        decoder.start(torch.tensor([[5, 6], [7, 8], [9, 10], [11, 12]]), torch.tensor([2, 2, 2, 2]), 8)
        decoder.step(torch.tensor([20, 21, 22, 23]))
        decoder.keep(torch.tensor([1, 3]))  # half are gone: the caches are copied
        logits = decoder.step(torch.tensor([30, 31]))
        whole = policy.model(input_ids=torch.tensor([[7, 8, 21, 30], [11, 12, 23, 31]])).logits[:, -1]
    assert torch.allclose(logits, whole, atol=1e-4)


def test_log_prob_is_hugging_faces_on_drawn_tokens_and_zero_elsewhere(policy):
    rollout = policy.sample([QUATRAIN, Prompt("fr", "couplet", "Paul Verlaine")], 3, max_new_tokens=40)
    with torch.no_grad():
        ours = policy.log_prob(rollout)
    theirs = reference_log_probs(policy, rollout.ids)
    drawn = rollout.chosen[:, 1:]
    assert torch.allclose(ours[:, 1:][drawn], theirs[drawn], atol=1e-4)
    assert ours[:, 1:][~drawn].abs().max() == 0 and ours[:, 0].abs().max() == 0


def test_padding_is_never_drawn(policy):
    rollout = policy.sample([QUATRAIN], 64, max_new_tokens=30, temperature=3.0)
    assert not (rollout.ids[rollout.chosen] == policy.pad).any()


def test_a_row_does_not_depend_on_its_batch(policy):
    rollout = policy.sample([QUATRAIN], 8, max_new_tokens=30)
    with torch.no_grad():
        together = policy.log_prob(rollout).sum(1)
        alone = torch.stack([policy.log_prob(rollout.rows([i])).sum() for i in range(8)])
    assert torch.allclose(together, alone, atol=1e-3)


def test_a_few_dead_rows_are_carried_along_unseen(policy):
    prompts = torch.arange(5, 25).view(10, 2)
    decoder = LlamaDecoder(policy.model)
    with torch.no_grad():
        decoder.start(prompts, torch.full((10,), 2), 8)
        decoder.step(torch.arange(30, 40))
        decoder.keep(torch.tensor([0, 1, 2, 3, 5, 6, 7, 8, 9]))  # one of ten is gone: too few to copy
        logits = decoder.step(torch.arange(50, 59))
        whole = policy.model(input_ids=torch.tensor([[15, 16, 35, 54], [23, 24, 39, 58]])).logits[:, -1]
    assert len(decoder.keys[0]) == 10
    assert torch.allclose(logits[[4, 8]], whole, atol=1e-4)


@pytest.mark.parametrize("decoder", [LlamaDecoder, CachedDecoder])
def test_a_row_may_go_on_twice(policy, decoder):
    stepped = decoder(policy.model)
    with torch.no_grad():
        stepped.start(torch.tensor([[5, 6], [7, 8]]), torch.tensor([2, 2]), 8)
        stepped.step(torch.tensor([20, 21]))
        stepped.reorder(torch.tensor([1, 1]))
        logits = stepped.step(torch.tensor([30, 31]))
        whole = policy.model(input_ids=torch.tensor([[7, 8, 21, 30], [7, 8, 21, 31]])).logits[:, -1]
    assert torch.allclose(logits, whole, atol=1e-4)


@pytest.mark.parametrize("change", [{"attention_bias": True}, {"hidden_act": "gelu"}, {"mlp_bias": True}])
def test_a_llama_with_other_parts_goes_through_its_own_forward(change):
    config = LlamaConfig(vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2)
    assert can_step(LlamaForCausalLM(config))
    assert not can_step(LlamaForCausalLM(LlamaConfig(**{**config.to_dict(), **change})))


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft asks transformers the old way
def test_low_rank_updates_are_part_of_what_is_stepped(policy):
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    model = peft.get_peft_model(copy.deepcopy(policy.model), peft.LoraConfig(r=4, target_modules=["q_proj", "down_proj"]))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_()
        ids = torch.tensor([[5, 9, 11, 40]])
        stepped = LlamaDecoder(model.get_base_model()).start(ids, torch.tensor([4]), 8)
        assert torch.allclose(stepped, model(input_ids=ids).logits[:, -1], atol=1e-3)
        assert not torch.allclose(stepped, policy.model(input_ids=ids).logits[:, -1], atol=1e-1)


@pytest.mark.parametrize("n_pieces", [5, 64, 200])
def test_draws_follow_the_distribution(n_pieces):
    p = torch.zeros(n_pieces)
    p[[0, 1, 2, n_pieces - 2]] = torch.tensor([0.5, 0.3, 0.15, 0.05])
    logits = p.log().expand(20_000, n_pieces)
    counts = torch.bincount(draw(logits, Decoding(), torch.Generator().manual_seed(1)), minlength=n_pieces) / 20_000
    assert torch.allclose(counts, p, atol=0.015)
    assert (counts[p == 0] == 0).all()  # what cannot be, is not


@pytest.mark.parametrize(
    "options, kept", [({"top_k": 2}, {0, 1}), ({"top_p": 0.6}, {0, 1}), ({"top_p": 0.5}, {0}), ({"temperature": 0.0}, {0})]
)
def test_truncation_keeps_the_likeliest(options, kept):
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log().expand(2_000, 4).clone()
    assert set(draw(logits, Decoding(**options), torch.Generator().manual_seed(1)).tolist()) == kept


def test_another_architecture_is_sampled_through_its_own_forward():
    torch.manual_seed(0)
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=50, n_positions=32, n_embd=16, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=1)
    ).eval()
    greedy = sample_tokens(model, [[5, 6, 7], [8]], Decoding(temperature=0, max_new_tokens=6), end=1, pad=0)
    for prompt, new in zip([[5, 6, 7], [8]], greedy, strict=True):
        ids = list(prompt)
        for token in new:
            logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
            logits[0] = -torch.inf
            assert token == int(logits.argmax())
            ids.append(token)


def test_the_same_seed_writes_the_same_poems():
    first, second = (tiny_policy().sample([QUATRAIN], 4, max_new_tokens=40).texts for _ in range(2))
    assert first == second


def test_a_poem_written_down_reads_back(policy):
    text = "\n".join(BAUDELAIRE)
    rollout = policy.write([QUATRAIN], [text])
    assert rollout.texts == (text,)
    assert rollout.line_ends.shape == (1, 4) and rollout.ended.all()


@pytest.mark.parametrize("kind", ["bpe", "char", "word"])
def test_every_tokenizer_keeps_text_and_line_breaks(kind):
    own = tiny_policy(kind=kind)
    text = "Où l'Œuvre — ô Zut ! — 1857 ;\n« L'été », dit-elle…\nça\nY a-t-il ☃ ?"
    assert own.write([QUATRAIN], [text]).texts[0] == text.replace("…", "...")


@pytest.mark.parametrize("size", [128, 200, 512])
def test_bpe_has_as_many_pieces_as_asked_beside_marks_and_bytes(size):
    lines = [line for block in (BAUDELAIRE, VERLAINE) for line in block] * 10
    lines += [f"mot{chr(97 + i)}{chr(97 + j)}" for i in range(26) for j in range(26)]
    tokenizer = train_tokenizer(lines, ["<|pad|>", BOS, END], size=size)
    assert len(tokenizer) == 3 + 256 + size
    for text in (*VERLAINE, "Œdipe 123 ☃"):
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids) == text


def test_bpe_of_fewer_pieces_than_letters_is_an_error():
    with pytest.raises(RlpoetError, match="128"):
        train_tokenizer(["a"], ["<|pad|>"], size=64)


def test_an_opening_stays_as_it_is_and_is_not_charged(policy):
    prompt = Prompt("fr", "quatrain-abab", opening=BAUDELAIRE[:2])
    rollout = policy.sample([prompt], 3, max_new_tokens=40)
    assert all(split_poem(text)[:2] == list(BAUDELAIRE[:2]) for text in rollout.texts)
    given = len(policy.codec.many_ids([policy.format.write_prompt(prompt)])[0])
    assert not rollout.chosen[:, :given].any()


def test_a_saved_policy_opens_in_plain_transformers(policy, tmp_path):
    policy.save(tmp_path)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    ids = torch.tensor([policy.codec.many_ids([policy.format.write_prompt(QUATRAIN)])[0]])
    assert tokenizer("<|bos|><|author|>", add_special_tokens=False).input_ids == policy.codec.many_ids(["<|bos|><|author|>"])[0]
    with torch.no_grad():
        assert torch.allclose(model(input_ids=ids).logits, policy.model(input_ids=ids).logits, atol=1e-5)
    again = CausalPolicy.load(tmp_path)
    assert again.format == policy.format


def test_what_cannot_be_opened_says_why(tmp_path, policy):
    with pytest.raises(UnknownName, match="unknown 'frr'"):
        CausalPolicy.load("frr")
    with pytest.raises(RlpoetError, match="no policy in it"):
        CausalPolicy.load(tmp_path)
    policy.save(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not a model")
    with pytest.raises(RlpoetError, match="broken policy"):
        CausalPolicy.load(tmp_path)


def test_an_author_it_never_read_is_named_with_the_nearest(policy):
    with pytest.raises(UnknownName, match="did you mean 'Paul Verlaine'"):
        policy.sample([Prompt("fr", "couplet", "Paul Verlain")])


@pytest.mark.parametrize("name", sorted(path.parent.name for path in SHIPPED.glob("*/config.json")))
@pytest.mark.slow
def test_a_shipped_policy_writes_its_forms_and_carries_a_card(name):
    policy = CausalPolicy.load(name)
    assert sum(path.stat().st_size for path in (SHIPPED / name).iterdir()) <= 16 * 2**20
    for asked in ("couplet", "quatrain-abab", "quatrain-abba"):
        texts = policy.sample([Prompt(policy.lang, asked)], 32).texts
        whole = sum(len(split_poem(text)) == form(asked, policy.lang).n_lines for text in texts)
        assert whole >= 28, f"{asked}: {whole} of 32 have the form's number of lines"
    card = (SHIPPED / name / "README.md").read_text(encoding="utf-8")
    assert ("perfect poems" if name.endswith("-tb") else "bits per character") in card
    assert "quatrain-abab" in card


@pytest.mark.parametrize("name", ["couplet", "quatrain-abba"])
def test_even_random_weights_keep_the_skeleton_of_a_form(policy, name):
    rollout = policy.sample([Prompt("fr", name)], 4, max_new_tokens=16000)  # one in twelve quatrains of such weights passes 4000
    assert rollout.ended.all()
    for row, text in enumerate(rollout.texts):
        assert len(split_poem(text)) == form(name, "fr").n_lines
        assert rollout.line_ends[row].ge(0).sum() == form(name, "fr").n_lines


@pytest.mark.parametrize("name", ["sonnet", "quatrain-abab", "couplet"])
def test_a_grammar_asks_for_each_mark_of_the_form_in_turn(policy, name):
    """Draw the mark whenever it is allowed: the shortest poem of the form, stanza breaks and all."""
    prompt = Prompt("fr", name)
    grammar = Grammar(policy.format, policy.tokenizer, [prompt], policy.model.config.vocab_size)
    ids = policy.codec.many_ids([policy.format.write_prompt(prompt)])[0]
    eager = torch.zeros(policy.model.config.vocab_size)
    eager[policy.tokenizer.convert_tokens_to_ids([*policy.format.line_marks, BREAK, END])] = 1.0
    eager[policy.codec.many_ids(["Albatros"])[0]] = 0.5
    while ids[-1] != policy.end:
        logits = eager.clone()[None]
        grammar.allow(logits)
        ids.append(int(logits.argmax()))
        grammar.advance(ids[-1:])
    asked = form(name, "fr")
    text = policy.read(ids)
    assert len(split_poem(text)) == asked.n_lines and text.count("\n\n") == asked.scheme.count(" ")
    assert policy.tokenizer.decode(ids).count("<|a|>") == asked.letters.count("a") - 1


def test_a_grammar_leaves_the_odds_of_what_it_allows_alone(policy):
    grammar = Grammar(policy.format, policy.tokenizer, [QUATRAIN], policy.model.config.vocab_size)
    logits = torch.randn(1, policy.model.config.vocab_size)
    before = logits.clone()
    grammar.allow(logits)
    allowed = torch.isfinite(logits[0])
    assert 0 < allowed.sum() < 60 and torch.equal(logits[0, allowed], before[0, allowed])


@pytest.mark.parametrize(("raised", "shown"), [
    (TypeError("a bug"), TypeError), (AttributeError("a bug"), AttributeError), (NotImplementedError("a bug"), NotImplementedError),
    (OSError("no file"), RlpoetError), (Exception("no tokenizer"), RlpoetError),
])  # fmt: skip
def test_a_bug_while_a_policy_is_opened_is_no_broken_policy(tmp_path, monkeypatch, raised, shown):
    tiny_policy().save(tmp_path)

    def failing(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", failing)
    with pytest.raises(shown) as caught:
        CausalPolicy.load(tmp_path)
    assert raised in (caught.value, caught.value.__cause__)


def test_a_bug_in_the_load_of_a_registered_class_comes_through(tmp_path, monkeypatch):
    class Buggy:
        @classmethod
        def load(cls, source, **options):
            return {}["weights"]

    monkeypatch.setattr(registry, "names", lambda group: ("buggy",))
    monkeypatch.setattr(registry, "load", lambda group, name: Buggy)
    registry.name_class(tmp_path, "buggy")
    with pytest.raises(KeyError, match="weights"):
        load_policy(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", ["[]", "{", ""])
def test_a_file_that_holds_no_table_is_a_broken_policy(tmp_path, name, content):
    tiny_policy().save(tmp_path)
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(RlpoetError, match="broken policy") as caught:
        CausalPolicy.load(tmp_path)
    assert caught.value.__cause__ is not None
