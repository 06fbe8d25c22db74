"""A Hugging Face causal LM that writes verse in its own format: sample, compute log-probabilities, freeze, save, load."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor

from policies.decoding.beams import beam_tokens
from policies.decoding.end_words import lines_ending
from policies.decoding.logits_processors import LogitsProcessor, Theme
from policies.decoding.sampler import Decoding, Grammar, sample_tokens
from policies.formats.codec import Format, codec_of
from policies.formats.masks import with_masks
from policies.formats.meter_errors import meter_error_spans
from policies.formats.rhyming_words import draw_rhyming_words
from policies.llama.bare import BareLlama
from policies.llama.scorer import Trunk, can_read, score_tokens
from policies.loading import eight_bits
from policies.loading.adapters import add_lora, parse_lora
from policies.loading.files import SHIPPED, locate, newest, quiet
from policies.loading.open import open_files
from rlpoet.errors import RlpoetError
from rlpoet.prosody.forms import form
from rlpoet.registry import CAUSAL_LM, name_class
from rlpoet.rollout import RhymingWords, Rollout, TokenScores
from rlpoet.text import whole_files
from rlpoet.types import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["SHIPPED", "CausalPolicy", "locate", "newest", "quiet"]


class CausalPolicy:
    """A causal LM, its tokenizer and the format of its verse.

    Attributes:
        model: on whatever device; sampling follows it.
        precision: dtype of the matrix products in ``log_prob`` and in sampling. float32 is exact, bfloat16 about twice
            as fast on processors that have it; sampling then is very slightly off-policy.
        allow_identical_rhyme: whether ``sample`` lets a word rhyme with itself. Masking it repairs half of the pairs that fail. In
            training it is allowed, so that a policy learns from what it writes by itself (``rlpoet.training.run``).
        progress: called by ``sample`` with the number of finished poems and their total, whenever one ends; None by default.
    """

    name = CAUSAL_LM

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, verse_format: Format, *, seed: int = 0) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.precision, self.allow_identical_rhyme = torch.float32, False
        self._trunk, self._leads = Trunk(), False  # what its reference, which leads, leaves of a batch for it to go on from
        self.progress: Callable[[int, int], None] | None = None
        self.generator = torch.Generator().manual_seed(seed % 2**63)  # any number
        self._adapter: Any = None  # what learns, if that is not the model (``adapt``)
        self.adopt(verse_format)

    def adopt(self, verse_format: Format) -> None:
        """Use this format from now on; the tokenizer must have an id for each of its marks."""
        self.format = verse_format
        self.codec = codec_of(verse_format, self.tokenizer)
        self.pad, self.end = self.codec.pad, self.codec.end

    @property
    def lang(self) -> str:
        return self.format.lang

    @property
    def authors(self) -> tuple[str, ...]:
        """Authors that a prompt may name, commonest first; a plain model takes any name (``codec.any_author``)."""
        return self.format.authors

    # -- files ------------------------------------------------------------------------------------

    @classmethod
    def load(
        cls,
        source: str | Path,
        *,
        seed: int = 0,
        device: str = "cpu",
        lang: str | None = None,
        allow_download: bool = False,
        inference_only: bool = False,
    ) -> Self:
        """Open a shipped policy by its language, a folder, an adapter, a GGUF file, or a model of the local Hugging Face cache.

        Args:
            lang: language in which a plain model is to write; a policy with its own marks keeps its language.
            allow_download: fetch a hub model that the cache does not hold; nothing is ever fetched without it.
            inference_only: open in one second instead of several, to sample and compute log-probabilities only. If possible,
                ``model`` then holds weights alone (``policies.llama.bare``): it has no forward pass and cannot be saved or adapted.

        Raises:
            UnknownName: there is no policy of that name.
            RlpoetError: the folder holds no policy, or a broken one, or an adapter of another base.
        """
        light = inference_only and device == "cpu"  # elsewhere a model is read by its own forward pass
        model, tokenizer, verse_format = open_files(source, lang=lang, allow_download=allow_download, inference_only=light)
        return cls(model.eval().to(device), tokenizer, verse_format, seed=seed)

    def adapt(self, lora: str, *, seed: int = 0) -> None:
        """Put a new low-rank adapter on all layers and train only that from now on; ``save`` writes it merged.

        Args:
            lora: ``r=16,alpha=32,dropout=0.0``, each of them optional.

        Raises:
            RlpoetError: a value out of range, or a policy opened with ``inference_only``.
            UnknownName: there is no such option.
        """
        options = parse_lora(lora)
        self._refuse_inference_only("adapt")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._adapter = add_lora(self.model, options)  # in place: the model stays the one it was, with other layers

    def save(self, folder: str | Path, *, dtype: torch.dtype | None = None) -> None:
        """Hugging Face layout: safetensors, tokenizer.json, and the format beside them.

        Args:
            dtype: of the weights; that of the model by default. ``torch.int8`` writes ``policies.loading.eight_bits``, which only
                rlpoet opens; a policy that was opened from it is saved as a plain model by default.

        Raises:
            RlpoetError: a policy opened with ``inference_only``.
        """
        self._refuse_inference_only("save")
        model = self.model if self._adapter is None else copy.deepcopy(self._adapter).merge_and_unload()
        with whole_files(folder, last="*.safetensors") as path:
            if dtype == torch.int8:
                eight_bits.write(model, path)
            else:
                model = model if dtype is None else copy.deepcopy(model).to(dtype)
                with quiet():
                    model.save_pretrained(path)
            self.tokenizer.save_pretrained(path)
            self.format.save(path)
            if self.name != CAUSAL_LM:  # a subclass that is registered under a name of its own
                name_class(path, self.name)
        other = "model.safetensors" if dtype == torch.int8 else eight_bits.EIGHT_BITS
        (Path(folder) / other).unlink(missing_ok=True)  # of an earlier save

    def _refuse_inference_only(self, wish: str) -> None:
        if isinstance(self.model, BareLlama):
            raise RlpoetError(f"{wish}: the policy was opened with inference_only=True; expected a whole model. Load it without.")

    def reference(self) -> Self:
        """A frozen copy, with a generator of its own."""
        model = copy.deepcopy(self.model).eval().requires_grad_(False)
        twin = type(self)(model, self.tokenizer, self.format)
        twin.precision = self.precision
        twin._trunk, twin._leads = self._trunk, True
        return twin

    # -- writing ----------------------------------------------------------------------------------

    def sample(
        self,
        prompts: Sequence[Prompt],
        n: int = 1,
        *,
        temperature: float = 1.0,
        max_new_tokens: int = 0,
        constrained: bool = True,
        allow_identical_rhyme: bool | None = None,
        theme: Sequence[str] = (),
        theme_strength: float = 4.0,
        watch: Callable[[int, int], None] | None = None,
        **decoding: Any,
    ) -> Rollout:
        """``n`` poems per prompt, the poems of one prompt next to each other.

        Args:
            max_new_tokens: 0 means 28 tokens for each line that is still to be written, or 40 for a plain model.
            constrained: force the number of lines and the marks of the form; see ``policies.formats.grammar``.
            allow_identical_rhyme: let a word rhyme with itself. If False, such a word is masked, provided that lines are written from
                their end (``policies.formats.identical_rhyme``). None: use the policy's attribute of that name, by default False.
            theme: words to bring into the poems; adds ``theme_strength`` nats to each of their pieces
                (``policies.decoding.logits_processors.Theme``).
            watch: called once per token with its row, as it is drawn; see ``sample_tokens``.
            decoding: fields of ``policies.decoding.sampler.Decoding``. With ``beams`` the poems of a prompt are its ``n`` likeliest.

        Raises:
            RlpoetError: ``n`` is larger than the number of beams.
        """
        repeated = [prompt for prompt in prompts for _ in range(n)]
        starts = {prompt: self._ids(self.format.write_prompt(prompt)) for prompt in dict.fromkeys(repeated)}
        room = max_new_tokens or self.codec.line_room * max((form(p.form, p.lang).n_lines - len(p.opening) for p in prompts), default=1)
        if (reach := table_of_positions(self.model)) is not None:
            room = max(1, min(room, reach - max(map(len, starts.values()), default=0)))
        options = Decoding(temperature=temperature, max_new_tokens=room, **decoding)
        if options.beams and options.beams < n:
            raise RlpoetError(f"beams: {options.beams} for {n} poems; expected at least as many beams as poems.")
        self.model.eval()

        repeats = self.allow_identical_rhyme if allow_identical_rhyme is None else allow_identical_rhyme

        def grammar(rows: Sequence[Prompt]) -> Grammar | None:
            return self.codec.grammar(rows, self.model.config.vocab_size, allow_identical_rhyme=repeats) if constrained else None

        def shape(start: int) -> LogitsProcessor | None:
            logits_processor = LogitsProcessor(options, marks=self.codec.marks, start=start, theme=self._theme(theme, theme_strength))
            return None if logits_processor.idle else logits_processor

        new: list[list[int]] = []
        if options.beams:
            for prompt in prompts:
                start = starts[prompt]
                new += beam_tokens(
                    self.model, start, options, end=self.end, pad=self.pad, n=n, dtype=self.precision,
                    grammar=grammar([prompt] * options.beams), shape=shape(len(start)),
                )  # fmt: skip
        else:
            new = sample_tokens(
                self.model, [starts[p] for p in repeated], options, end=self.end, pad=self.pad, generator=self.generator,
                dtype=self.precision, grammar=grammar(repeated), shape=shape(min(map(len, starts.values()), default=0)), watch=watch,
                progress=self.progress,
            )  # fmt: skip
        return self._rollout(repeated, [starts[p] for p in repeated], new)

    def _theme(self, words: Sequence[str], strength: float) -> Theme | None:
        """Every word as written inside a line and at its beginning, so that a capitalised form counts too."""
        spellings = [(n, ids) for n, word in enumerate(words) for ids in self.codec.spellings(word)]
        return Theme([ids for _, ids in spellings], [n for n, _ in spellings], strength) if spellings else None

    def write(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> Rollout:
        """Existing poems as a rollout, as if the policy had drawn every line after the opening."""
        starts = [self.start_ids(prompt) for prompt in prompts]
        new = self.codec.many_ids([self.codec.rest(prompt, text) for prompt, text in zip(prompts, texts, strict=True)])
        return self._rollout(list(prompts), starts, new)

    def continued(self, prompts: Sequence[Prompt], tokens: Sequence[Sequence[int]]) -> Rollout:
        """A rollout of token sequences that continue their prompts, whether or not this policy drew them."""
        return self._rollout(list(prompts), [self.start_ids(prompt) for prompt in prompts], tokens)

    def lines_ending(self, prompts: Sequence[Prompt], words: Sequence[str]) -> list[str] | None:
        """The next line of each prompt, with a given last word; None if the policy writes lines from their beginning."""
        return lines_ending(self, prompts, words) if getattr(self.format, "order", "forward") == "backward" else None

    def rhyming_words(self, sounds: Sequence[Sequence[int]], n: int) -> RhymingWords | None:
        """Single words, two for each mark of a sound, ``n`` rows for each given row.

        None if the policy has read no rhyme-pair data (``policies.formats.rhyming_words``)."""
        return draw_rhyming_words(self, sounds, n)

    def meter_error_spans(self, rollout: Rollout, lines: Sequence[tuple[int, int]]) -> Tensor | None:
        """Tokens at which the syllable counts of an unmetrical line are wrong, ``(B, S)`` bool.

        None if the format has no counts (``policies.formats.meter_errors``)."""
        return meter_error_spans(self, rollout, lines)

    def masked(self, rollout: Rollout) -> Rollout:
        """The rollout with the token masks of its forms; ``log_prob`` is then that of the masked (renormalised) distribution."""
        return with_masks(
            rollout, self.codec.grammar(rollout.prompts, self.model.config.vocab_size, allow_identical_rhyme=self.allow_identical_rhyme)
        )

    def read(self, ids: Sequence[int]) -> str:
        """The poem that a token sequence spells, with its opening, without header and marks."""
        return self.codec.read(ids)

    def start_ids(self, prompt: Prompt) -> list[int]:
        """The tokens with which a poem of this prompt begins."""
        return self._ids(self.format.write_prompt(prompt))

    def ends_line(self, token: int) -> bool:
        """Whether a line is complete when this token is drawn."""
        return self.codec.ends_line(token)

    def n_tokens(self, words: str) -> int:
        """Tokens of words inside a line."""
        return self.codec.n_tokens(words)

    def _ids(self, text: str) -> list[int]:
        return self.codec.many_ids([text])[0]

    def _rollout(self, prompts: Sequence[Prompt], starts: Sequence[Sequence[int]], new: Sequence[Sequence[int]]) -> Rollout:
        width = max((len(s) + len(x) for s, x in zip(starts, new, strict=True)), default=0)
        ids = torch.full((len(starts), width), self.pad, dtype=torch.long)
        chosen = torch.zeros((len(starts), width), dtype=torch.bool)
        ends, words, sounds = [], [], []
        for row, (start, tokens) in enumerate(zip(starts, new, strict=True)):
            whole = [*start, *tokens]
            ids[row, : len(whole)] = torch.tensor(whole)
            chosen[row, len(start) : len(whole)] = True
            ends.append(self.codec.line_ends(whole, len(start)))
            words.append(self.codec.end_words(whole, len(start)))
            sounds.append(self.codec.sounds(whole, len(start)))
        line_ends, end_words = _positions(ends), _positions(words)
        texts = tuple(self.codec.read_many([[*start, *tokens] for start, tokens in zip(starts, new, strict=True)]))
        ended = torch.tensor([bool(tokens) and tokens[-1] == self.end for tokens in new], dtype=torch.bool)
        sounds_drawn = [row for row in sounds if row is not None]
        return Rollout(tuple(prompts), texts, ids, chosen, ended, line_ends, end_words, _positions(sounds_drawn) if sounds_drawn else None)

    # -- weighing ---------------------------------------------------------------------------------

    def log_prob(self, rollout: Rollout) -> Tensor:
        """Log-probability of each drawn token at temperature 1, ``(B, S)``, nats, 0 elsewhere.

        As in sampling, PAD and the tokens that the batch's masks exclude have no probability. Rows may have any length.
        Gradients flow if the model's parameters need them.
        """
        if can_read(self.model):
            return _spread(self._read(rollout)[0], rollout.chosen)
        device = next(self.model.parameters()).device
        ids = rollout.ids.to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.precision == torch.bfloat16):
            at = rollout.chosen[:, 1:].to(device)
            logits = self._logits(ids[:, :-1], at)  # (N, V): only where the policy chose
        logits = logits.float()
        is_pad = torch.zeros(logits.shape[-1], dtype=torch.bool, device=device)
        is_pad[self.pad] = True
        if rollout.token_masks is not None and rollout.mask_of is not None:
            logits = logits.masked_fill(rollout.token_masks.to(device)[rollout.mask_of[:, 1:].to(device)[at]], -torch.inf)
        log_p = logits.masked_fill(is_pad, -30.0).log_softmax(-1).gather(1, ids[:, 1:][at][:, None]).squeeze(1)  # (N,)
        return _spread(log_p, rollout.chosen.to(device))

    def score_tokens(self, rollout: Rollout) -> TokenScores | None:
        """``log_prob`` and the states that a critic needs, from one forward pass; None for a model without the fast path."""
        if not can_read(self.model):
            return None
        log_p, states, entropy = self._read(rollout, entropy=True)
        return TokenScores(_spread(log_p, rollout.chosen), states, entropy)

    def _read(self, rollout: Rollout, *, entropy: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        dtype = self.precision if self.precision == torch.bfloat16 else None
        token_masks = None if rollout.token_masks is None or rollout.mask_of is None else (rollout.token_masks, rollout.mask_of)
        return score_tokens(
            self.model, rollout.ids, rollout.chosen, pad=self.pad, dtype=dtype, entropy=entropy, token_masks=token_masks, trunk=self._trunk,
            keeps=self._leads,
        )  # fmt: skip

    def _logits(self, ids: Tensor, at: Tensor) -> Tensor:
        """Logits of the next token, ``(N, V)``, at the marked places; both arguments are ``(B, S)``."""
        if self._headed:
            return self.model.get_output_embeddings()(_body(self.model)(input_ids=ids, use_cache=False).last_hidden_state[at])
        return self.model(input_ids=ids, use_cache=False).logits[at]

    @functools.cached_property
    def _headed(self) -> bool:
        """Whether the logits are just the head applied to the body's last states; tested on two tokens.

        If so, the head is applied only where needed: with a vocabulary of 250,000 it is most of the work. Some models scale or cap
        their logits, which this test detects.
        """
        if self.model.config.model_type == "llama":
            return True
        ids = torch.tensor([[self.end, self.end]], device=next(self.model.parameters()).device)
        was_training = self.model.training
        self.model.eval()
        with torch.no_grad():
            whole = self.model(input_ids=ids, use_cache=False).logits.float()
            try:
                parted = self.model.get_output_embeddings()(_body(self.model)(input_ids=ids, use_cache=False).last_hidden_state).float()
            except (AttributeError, TypeError):  # a body or a head of another make
                parted = whole[..., :0]
        self.model.train(was_training)
        return parted.shape == whole.shape and torch.allclose(parted, whole, atol=1e-4, rtol=1e-4)


def _positions(rows: Sequence[Sequence[int]]) -> Tensor:
    """Rows of positions side by side, ``(B, L)``, -1 where a row has no more."""
    out = torch.full((len(rows), max(map(len, rows), default=0)), -1, dtype=torch.long)
    for row, places in enumerate(rows):
        out[row, : len(places)] = torch.tensor(places, dtype=torch.long)
    return out


def _spread(log_p: Tensor, chosen: Tensor) -> Tensor:
    """``(n,)`` at the places chosen of ``(B, S)``, 0 elsewhere."""
    return torch.zeros(chosen.shape, dtype=log_p.dtype, device=log_p.device).masked_scatter(chosen, log_p)


def table_of_positions(model: PreTrainedModel) -> int | None:
    """The most tokens that a model with learned positions can read; None for rotary positions, which have no such limit."""
    config = model.config
    rotates = getattr(config, "rope_parameters", None) or getattr(config, "rope_theta", None)
    return None if rotates else getattr(config, "max_position_embeddings", None)


def _body(model: PreTrainedModel) -> PreTrainedModel:
    """The model without its head."""
    body: PreTrainedModel = getattr(model, model.base_model_prefix)
    return body
