"""Any Hugging Face causal LM is a policy: it writes the lines a form asks for, is weighed, saved, and trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_plain import gpt2, llama, metaspace_tokenizer, plain_tokenizer, save_plain
from tiny_policy import BAUDELAIRE, annotated, tiny_policy
from tokenizers import AddedToken
from transformers import AutoModelForCausalLM, AutoTokenizer

from policies.causal_lm import CausalPolicy
from policies.formats.data import bos_id, encode
from policies.formats.plain import PlainCodec, PlainFormat
from policies.formats.plain_grammar import CONTROL
from policies.likelihood import score_poems
from policies.loading import files
from policies.loading.files import find_model
from rlpoet.cli.main import main
from rlpoet.corpus import Poem
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.evaluation.examples import example_poems
from rlpoet.prosody.forms import form
from rlpoet.text import split_poem
from rlpoet.types import Prompt

QUATRAIN = Prompt("fr", "quatrain-abab")
POEM = "\n".join(BAUDELAIRE)
KINDS = {"gpt2": (gpt2, plain_tokenizer), "llama": (llama, metaspace_tokenizer)}


@pytest.fixture(scope="module", params=sorted(KINDS))
def saved(request, tmp_path_factory) -> Path:
    model, tokenizer = KINDS[request.param]
    tokens = tokenizer()
    return save_plain(tmp_path_factory.mktemp(request.param), model(tokens), tokens)


@pytest.fixture(scope="module")
def policy(saved) -> CausalPolicy:
    return CausalPolicy.load(saved, lang="fr", seed=1)


@pytest.mark.parametrize("name", ["couplet", "quatrain-abab", "tercet", "sonnet"])
def test_even_random_weights_write_the_lines_and_stanzas_of_a_form(policy, name):
    asked = form(name, "fr")
    rollout = policy.sample([Prompt("fr", asked.name)], 2, max_new_tokens=4000 if policy.model.config.model_type == "llama" else 0)
    for row, text in enumerate(rollout.texts):
        if not rollout.ended[row]:
            continue  # GPT-2 has no more positions for a sonnet of nonsense
        assert len(split_poem(text)) == asked.n_lines
        assert [len(stanza.split("\n")) for stanza in text.split("\n\n")] == [len(part) for part in asked.scheme.split(" ")]
        assert rollout.line_ends[row].ge(0).sum() == asked.n_lines
    assert rollout.ended.any() or name == "sonnet"


def test_log_prob_is_hugging_faces_on_drawn_tokens_and_zero_elsewhere(policy):
    rollout = policy.sample([QUATRAIN, Prompt("fr", "couplet", "Nobody Known")], 2, max_new_tokens=60)
    with torch.no_grad():
        ours = policy.log_prob(rollout)
        logits = policy.model(input_ids=rollout.ids[:, :-1]).logits.float()
    logits[..., policy.pad] = -torch.inf
    theirs = logits.log_softmax(-1).gather(2, rollout.ids[:, 1:, None])[..., 0]
    drawn = rollout.chosen[:, 1:]
    assert torch.allclose(ours[:, 1:][drawn], theirs[drawn], atol=1e-4)
    assert ours[:, 1:][~drawn].abs().max() == 0 and ours[:, 0].abs().max() == 0


def test_padding_and_the_end_are_different_tokens_and_padding_is_never_drawn(policy):
    rollout = policy.sample([QUATRAIN], 32, max_new_tokens=40, temperature=3.0, constrained=False)
    assert policy.pad != policy.end
    assert not (rollout.ids[rollout.chosen] == policy.pad).any()


@pytest.mark.parametrize("name, text", [("quatrain-abab", POEM), ("couplet", "Ô Zut ! — 1857 ;\n« L'été », dit-elle... ☃ ?")])
def test_a_poem_written_down_reads_back_and_its_lines_end_where_they_end(policy, name, text):
    rollout = policy.write([Prompt("fr", name)], [text])
    assert rollout.texts == (text,) and rollout.ended.all()
    whole = rollout.ids[0].tolist()
    shown = [policy.tokenizer.decode(whole[: end + 1]).rsplit("\n", 1)[-1].strip() for end in rollout.line_ends[0].tolist()]
    assert shown == [line.strip() for line in text.split("\n")]


def test_an_opening_stays_and_is_not_charged(policy):
    prompt = Prompt("fr", "quatrain-abab", "Charles Baudelaire", BAUDELAIRE[:2])
    rollout = policy.sample([prompt], 3)
    assert all(split_poem(text)[:2] == list(BAUDELAIRE[:2]) for text in rollout.texts)
    assert not rollout.chosen[:, : len(policy.start_ids(prompt))].any()
    written = policy.write([prompt], [POEM])
    assert written.texts == (POEM,) and written.chosen.sum() < policy.write([QUATRAIN], [POEM]).chosen.sum()


def test_a_poem_has_the_same_tokens_whole_and_cut_at_any_line(policy):
    whole = policy.write([QUATRAIN], [POEM]).ids[0]
    for n in (1, 2, 3):
        cut = policy.write([Prompt("fr", "quatrain-abab", opening=BAUDELAIRE[:n])], [POEM]).ids[0]
        assert torch.equal(whole, cut)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12), min_size=2, max_size=2))
def test_every_line_of_text_survives_a_byte_level_tokenizer(lines):
    codec = PlainCodec(PlainFormat("es"), plain_tokenizer())
    prompt = Prompt("es", "pareado")
    (start, rest) = codec.many_ids([codec.format.write_prompt(prompt), codec.rest(prompt, "\n".join(lines))])
    expected = codec.format.write_lines(split_poem("\n".join(lines)), "aa").split("\n")[:-1]
    assert codec.read([*start, *rest]).split("\n") == expected


def test_pieces_of_training_are_those_of_sampling(policy):
    """Header and body of a group, joined, are the tokens of the written poem."""
    poem = annotated()[1]
    piece = encode([poem], policy.format, policy.tokenizer)[0][0]
    ids = [bos_id(policy.tokenizer), *piece.header, *piece.body]
    written = policy.write([Prompt("fr", "quatrain-abab", poem.author)], ["\n".join(poem.groups[0].lines)]).ids[0].tolist()
    assert piece.body == tuple(written[-len(piece.body) :]) and ids[-1] == policy.end
    assert piece.n_chars == len("\n".join(poem.groups[0].lines)) + 2


def test_bits_are_charged_for_every_token_after_the_header(policy):
    poem = Poem((BAUDELAIRE,), "Charles Baudelaire")
    cost = score_poems(policy, [poem])
    written = policy.codec.many_ids(policy.format.write(annotated()[1].groups[0], "Charles Baudelaire"))
    assert cost.characters == (len(poem.text),) and cost.tokens == (len(written[1]),)
    ids = torch.tensor([[bos_id(policy.tokenizer), *written[0], *written[1]]])
    with torch.no_grad():
        log_p = policy.model(input_ids=ids[:, :-1]).logits.log_softmax(-1).gather(2, ids[:, 1:, None])[0, :, 0]
    assert cost.nats[0] == pytest.approx(-log_p[len(written[0]) :].sum().item(), abs=1e-3)


def test_a_saved_plain_policy_keeps_its_language_and_opens_in_plain_transformers(policy, tmp_path):
    policy.save(tmp_path)
    again = CausalPolicy.load(tmp_path)
    assert again.lang == "fr" and again.pad == policy.pad
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    ids = torch.tensor([policy.start_ids(QUATRAIN)])
    with torch.no_grad():
        assert torch.allclose(model(input_ids=ids).logits, policy.model(input_ids=ids).logits, atol=1e-5)
    assert tokenizer.decode(ids[0], skip_special_tokens=True).startswith("Poème. Vers de 12 syllabes")


def test_a_reference_is_frozen_and_weighs_alike(policy):
    twin = policy.reference()
    assert not any(p.requires_grad for p in twin.model.parameters())
    rollout = policy.sample([QUATRAIN], 2, max_new_tokens=20)
    assert torch.allclose(twin.log_prob(rollout), policy.log_prob(rollout).detach(), atol=1e-5)


def test_the_card_of_a_model_says_its_language(tmp_path):
    tokens = plain_tokenizer()
    folder = save_plain(tmp_path, gpt2(tokens), tokens, card="---\nlanguage:\n- es\nlicense: mit\n---\n# x\n")
    assert CausalPolicy.load(folder).lang == "es"
    assert CausalPolicy.load(folder, lang="fr").lang == "fr"


def test_a_token_that_ends_a_line_and_more_is_told_from_one_that_goes_on():
    codec = PlainCodec(PlainFormat("fr"), plain_tokenizer())
    ids = codec.tokenizer.convert_tokens_to_ids
    assert codec.pieces.breaks[ids("Ċ")] == 1 and codec.pieces.bare[ids("Ċ")]
    assert codec.pieces.breaks[ids("a")] == 0 and codec.pieces.words[ids("a")]
    assert codec.pieces.breaks[codec.end] == -1 and codec.pieces.breaks[ids("ĉ")] == -1  # a tab


def test_what_cannot_be_a_policy_says_why(tmp_path):
    tokens = plain_tokenizer()
    folder = save_plain(tmp_path / "m", gpt2(tokens), tokens)
    for name, key in (("tokenizer_config.json", "eos_token"), ("config.json", "eos_token_id"), ("generation_config.json", "eos_token_id")):
        config = json.loads((folder / name).read_text(encoding="utf-8"))
        config[key] = None
        (folder / name).write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(RlpoetError, match="no end-of-text token"):
        CausalPolicy.load(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(RlpoetError, match="broken policy"):
        CausalPolicy.load(folder)
    with pytest.raises(UnknownName, match="local cache"):
        CausalPolicy.load("nobody/nothing")


def test_a_model_of_the_hubs_cache_is_found_by_name_without_asking_the_network(tmp_path, monkeypatch):
    from huggingface_hub import constants

    tokens = plain_tokenizer()
    snapshot = tmp_path / "models--someone--tiny" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    save_plain(snapshot, gpt2(tokens), tokens)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0" * 40, encoding="utf-8")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert find_model("hf:someone/tiny").folder == snapshot
    assert CausalPolicy.load("hf:someone/tiny", lang="fr").lang == "fr"


def test_a_download_that_was_asked_for_and_fails_says_so(monkeypatch):
    import huggingface_hub

    def offline(*_: object, **__: object) -> str:
        raise ConnectionError("Network is unreachable")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(RlpoetError, match="cannot be downloaded \\(Network is unreachable\\)"):
        find_model("hf:nobody/nothing", allow_download=True)


def test_the_command_line_writes_and_trains_with_a_plain_model(saved, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["generate", "--policy", str(saved), "--lang", "es", "--form", "pareado", "--seed", "1", "--json", "--max_draws", "2"]) == 0
    assert len(json.loads(capsys.readouterr().out)["lines"]) == 2
    small = ["--max_steps", "2", "--minutes", "0", "--eval_samples", "4", "--prompts_per_step", "2", "--group_size", "2", "--threads", "1"]
    small += ["--report_to", "none"]  # no pictures of poems
    assert main(["train", "--lang", "fr", "--forms", "couplet", "--policy", str(saved), "--output_dir", "run", *small]) == 0
    assert CausalPolicy.load("run").lang == "fr"


def test_a_gguf_file_is_the_model_it_was_made_from(tmp_path):
    gguf = pytest.importorskip("gguf")
    tokens = plain_tokenizer()
    model = llama(tokens)
    write_gguf(gguf, tmp_path / "tiny.gguf", model, tokens)
    policy = CausalPolicy.load(tmp_path / "tiny.gguf", lang="fr")
    rollout = policy.write([QUATRAIN], [POEM])
    assert rollout.texts == (POEM,)
    with torch.no_grad():
        assert torch.allclose(policy.model(input_ids=rollout.ids).logits, model(input_ids=rollout.ids).logits, atol=1e-4)


def write_gguf(gguf, path: Path, model, tokens) -> None:
    """A Llama and a byte-level tokenizer in float32, as converters write them."""
    config, n_heads = model.config, model.config.num_attention_heads
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(n_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(tokens))
    state = json.loads(tokens.backend_tokenizer.to_str())["model"]
    pieces = sorted(state["vocab"], key=state["vocab"].__getitem__)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(pieces)
    writer.add_token_types([3 if piece == tokens.eos_token else 1 for piece in pieces])
    writer.add_token_merges([" ".join(merge) for merge in state["merges"]])
    for add in (writer.add_bos_token_id, writer.add_eos_token_id):
        add(tokens.eos_token_id)
    names = {
        "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output", "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    }  # fmt: skip
    for name, weight in model.state_dict().items():
        own = name.removesuffix(".weight")
        block = ""
        if own.startswith("model.layers."):
            _, _, number, own = own.split(".", 3)
            block = f"blk.{number}."
        array = weight.float().numpy()
        if own in ("self_attn.q_proj", "self_attn.k_proj"):  # GGUF keeps the two halves of a rotated head interleaved
            heads = n_heads if own.endswith("q_proj") else config.num_key_value_heads
            array = array.reshape(heads, 2, -1, array.shape[1]).swapaxes(1, 2).reshape(array.shape)
        writer.add_tensor(f"{block}{names[own]}.weight", array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_what_was_trained_from_a_gguf_file_is_saved_and_opens_again(tmp_path, monkeypatch):
    gguf = pytest.importorskip("gguf")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tokens = plain_tokenizer()
    write_gguf(gguf, tmp_path / "tiny.gguf", llama(tokens), tokens)
    policy = CausalPolicy.load(tmp_path / "tiny.gguf", lang="fr")
    with torch.no_grad():
        next(policy.model.parameters()).add_(0.5)
    policy.save(tmp_path / "trained")
    again = CausalPolicy.load(tmp_path / "trained")
    assert all(torch.equal(a, b) for a, b in zip(policy.model.parameters(), again.model.parameters(), strict=True))
    assert again.lang == "fr"


def test_a_gguf_file_is_converted_once_unless_no_copy_is_to_be_kept(tmp_path, monkeypatch):
    gguf = pytest.importorskip("gguf")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tokens = plain_tokenizer()
    path = tmp_path / "tiny.gguf"
    write_gguf(gguf, path, llama(tokens), tokens)
    unpacked: list[Path] = []

    def counted(folder: Path, name: str, place: Path) -> None:
        unpacked.append(place)
        whole(folder, name, place)

    whole = files._unpack
    monkeypatch.setattr(files, "_unpack", counted)
    CausalPolicy.load(path, keep_gguf=False)
    assert len(unpacked) == 1 and not unpacked[0].exists() and not (tmp_path / "cache").exists()
    first, second = CausalPolicy.load(path), CausalPolicy.load(path)
    assert len(unpacked) == 2
    assert all(torch.equal(a, b) for a, b in zip(first.model.parameters(), second.model.parameters(), strict=True))
    write_gguf(gguf, path, llama(tokens, seed=1), tokens)  # another file of that name
    third = CausalPolicy.load(path)
    assert len(unpacked) == 3 and not torch.equal(next(first.model.parameters()), next(third.model.parameters()))
    assert len(list((tmp_path / "cache").glob("rlpoet/gguf/*/config.json"))) == 2


def test_code_that_a_model_brings_is_refused_without_a_question(tmp_path, monkeypatch):
    tokens = plain_tokenizer()
    folder = save_plain(tmp_path, gpt2(tokens), tokens)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "ours", "auto_map": {"AutoConfig": "ours.OursConfig", "AutoModelForCausalLM": "ours.Ours"}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "ours.py").write_text(
        "from transformers import GPT2Config, GPT2LMHeadModel\n"
        "class OursConfig(GPT2Config):\n    model_type = 'ours'\n"
        "class Ours(GPT2LMHeadModel):\n    config_class = OursConfig\n",
        encoding="utf-8",
    )
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked on standard input"))
    with pytest.raises(RlpoetError, match=r"code of its own.*--trust_remote_code"):
        CausalPolicy.load(folder)
    policy = CausalPolicy.load(folder, trust_remote_code=True)
    assert type(policy.model).__name__ == "Ours"


def test_control_tokens_of_any_kind_never_stand_in_a_line():
    tokenizer = plain_tokenizer()
    tokenizer.add_tokens([AddedToken("<|eot_id|>", special=True), AddedToken("<end_of_turn>", special=False), "<unused0>", "[INST]"])
    odd = [tokenizer.convert_tokens_to_ids(name) for name in ("<|eot_id|>", "<end_of_turn>", "<unused0>", "[INST]")]
    assert {"<|eot_id|>"}.isdisjoint(tokenizer.all_special_tokens)  # the tokenizer's settings do not name it
    codec = PlainCodec(PlainFormat("fr"), tokenizer)
    assert all(codec.pieces.breaks[i] == -1 and not codec.pieces.words[i] for i in odd)
    grammar = codec.grammar([Prompt("fr", "couplet")], len(tokenizer))
    assert not grammar.allowed[:3, odd].any()
    assert codec.pieces.breaks[tokenizer.convert_tokens_to_ids("a")] == 0


def test_bytes_and_angle_brackets_are_text():
    codec = PlainCodec(PlainFormat("fr"), metaspace_tokenizer())
    assert codec.pieces.breaks[codec.tokenizer.convert_tokens_to_ids("<0x41>")] == 0
    assert not any(CONTROL.fullmatch(piece) for piece in ("<", ">", "<3", "a<b>", "[a]", "[1]", "->", "<>"))
    assert all(CONTROL.fullmatch(piece) for piece in ("<s>", "</s>", "<|im_end|>", "<｜end▁of▁sentence｜>", "[/INST]", "[unused7]"))


def test_every_id_at_which_a_model_stops_ends_a_poem():
    tokenizer = plain_tokenizer()
    tokenizer.add_tokens([AddedToken("<end_of_turn>", special=False)])
    stop = tokenizer.convert_tokens_to_ids("<end_of_turn>")
    model = gpt2(tokenizer)
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, stop]
    with torch.no_grad():  # a model that says nothing but that its turn is over
        model.transformer.ln_f.weight.zero_()
        model.transformer.ln_f.bias.copy_(1000 * model.transformer.wte.weight[stop])
    policy = CausalPolicy(model, tokenizer, PlainFormat("fr"))
    rollout = policy.sample([QUATRAIN], 3, constrained=False, max_new_tokens=30, temperature=0.05)
    assert rollout.ended.all() and rollout.n_tokens.tolist() == [1, 1, 1] and rollout.texts == ("", "", "")
    assert policy.end == tokenizer.eos_token_id  # what is written after a poem


def test_a_tokenizer_without_an_end_takes_that_of_the_generation_settings():
    tokenizer = plain_tokenizer()
    model = gpt2(tokenizer)
    end = tokenizer.eos_token_id
    tokenizer.eos_token = None
    model.generation_config.eos_token_id = [end]
    assert CausalPolicy(model, tokenizer, PlainFormat("fr")).end == end


# -- other words of a request ---------------------------------------------------------------------

CHAT = (
    "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ m.content | trim }}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
COUPLET = "Souvent pour s'amuser les hommes d'équipage\nQui suivent indolents compagnons de voyage"


def talking(**of_format) -> CausalPolicy:
    tokenizer = plain_tokenizer()
    tokenizer.add_tokens([AddedToken("<start_of_turn>", special=False), AddedToken("<end_of_turn>", special=False)])
    tokenizer.chat_template = CHAT
    return CausalPolicy(gpt2(tokenizer), tokenizer, PlainFormat("fr", **of_format), seed=1)


def test_a_template_is_filled_in_and_reads_back():
    policy = talking()
    policy.ask_by(template="Un {form} ({scheme}) de {author},\n\nen vers de {syllables} sur {theme}.\n", theme="la mer")
    prompt = Prompt("fr", "couplet", "Victor Hugo", (COUPLET.split("\n")[0],))
    start = policy.tokenizer.decode(policy.start_ids(prompt), skip_special_tokens=True)
    assert start == f"Un couplet (aa) de Victor Hugo,\n\nen vers de 12 sur la mer.\n\n{COUPLET.splitlines()[0]}\n"
    assert policy.write([prompt], [COUPLET]).texts == (COUPLET,)  # the empty line of the template is not taken for the poem's beginning
    assert all(text.startswith(COUPLET.splitlines()[0] + "\n") for text in policy.sample([prompt], 2).texts)


def test_examples_stand_before_the_poem_of_their_form_and_are_no_part_of_it():
    policy = talking()
    policy.ask_by(examples=[(Prompt("fr", "couplet", "Charles Baudelaire"), COUPLET), (Prompt("fr", "quatrain-abab"), POEM)])
    prompt = Prompt("fr", "couplet")
    asked = PlainFormat("fr").write_prompt(prompt).removeprefix("<|bos|>")
    start = policy.tokenizer.decode(policy.start_ids(prompt), skip_special_tokens=True)
    assert start == f"Poème de Charles Baudelaire. Vers de 12 syllabes, rimes aa.\n\n{COUPLET}\n\n{asked}"
    rollout = policy.write([prompt], [COUPLET])
    assert rollout.texts == (COUPLET,) and not rollout.chosen[:, : len(policy.start_ids(prompt))].any()
    assert POEM in policy.tokenizer.decode(policy.start_ids(QUATRAIN))
    assert all(COUPLET not in text for text in policy.sample([prompt], 2, max_new_tokens=20).texts)


def test_a_chat_template_is_kept_to_the_letter_with_its_turns():
    policy = talking()
    policy.ask_by(chat=True, examples=[(Prompt("fr", "couplet"), COUPLET)])
    prompt = Prompt("fr", "couplet", "Victor Hugo")
    header = PlainFormat("fr").header(author=None, meter="12", scheme="aa").strip()
    talk = [
        {"role": "user", "content": f"Écris ce poème et rien d'autre. {header}"},
        {"role": "assistant", "content": COUPLET},
        {"role": "user", "content": f"Écris ce poème et rien d'autre. {header.replace('Poème.', 'Poème de Victor Hugo.')}"},
    ]
    wanted = policy.tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
    assert policy.tokenizer.decode(policy.start_ids(prompt)) == wanted
    assert policy.start_ids(prompt).count(policy.tokenizer.convert_tokens_to_ids("<end_of_turn>")) == 3
    assert policy.write([prompt], [COUPLET]).texts == (COUPLET,)
    with pytest.raises(RlpoetError, match="no chat template"):
        CausalPolicy(gpt2(tokens := plain_tokenizer()), tokens, PlainFormat("fr")).ask_by(chat=True)


def test_how_a_policy_is_asked_is_saved_with_it(tmp_path):
    policy = talking()
    policy.ask_by(template="{form} {scheme}", chat=True, examples=[(Prompt("fr", "couplet", "Moi"), COUPLET)])
    policy.save(tmp_path)
    again = CausalPolicy.load(tmp_path)
    assert again.format == policy.format
    assert again.start_ids(QUATRAIN) == policy.start_ids(QUATRAIN)


@pytest.mark.parametrize(("template", "message"), [("Write {fom}.", "did you mean 'form'"), ("Write a poem.", "no field in it")])
def test_a_template_that_asks_for_nothing_known_is_refused(template, message):
    with pytest.raises(RlpoetError, match=message):
        talking().ask_by(template=template)


def test_a_request_longer_than_the_model_reads_is_refused():
    policy = talking()
    policy.ask_by(examples=[(Prompt("fr", "couplet"), COUPLET)] * 12)
    with pytest.raises(RlpoetError, match="the model reads 320"):
        policy.sample([Prompt("fr", "couplet")])


def test_examples_are_stanzas_of_the_form_from_a_corpus(tmp_path):
    path = tmp_path / "poems.txt"
    path.write_text(f"{POEM}\n\n\n{COUPLET}\n", encoding="utf-8")
    found = example_poems([str(path)], "fr", ["couplet"], 1, seed=0)
    assert [(prompt.form, text) for prompt, text in found] == [("couplet", COUPLET)]
    assert example_poems([], "fr", ["couplet"], 0, seed=0) == ()
    with pytest.raises(RlpoetError, match="--shots 3: 1 stanzas of"):
        example_poems([str(path)], "fr", ["couplet"], 3, seed=0)
    with pytest.raises(RlpoetError, match="no poems to take them from"):
        example_poems([], "fr", ["couplet"], 3, seed=0)
    with pytest.raises(RlpoetError, match="none to take from --data"):
        example_poems([str(path)], "fr", ["couplet"], 0, seed=0)


def test_a_policy_with_marks_is_not_asked_in_words():
    with pytest.raises(RlpoetError, match="asked by marks"):
        tiny_policy().ask_by(template="{form}")
