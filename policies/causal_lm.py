"""A Hugging Face causal LM that writes verse in its own format: sample, compute log-probabilities, freeze, save, load."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

import torch
from torch import Tensor

from policies.decoding.beams import beam_tokens
from policies.decoding.end_words import lines_ending
from policies.decoding.line_search import search_lines
from policies.decoding.logits_processors import LogitsProcessor, Theme
from policies.decoding.sampler import Decoding, Grammar, sample_tokens, table_of_positions
from policies.formats.codec import Format, codec_of
from policies.formats.masks import with_masks
from policies.formats.meter_errors import meter_error_spans
from policies.formats.plain import PlainFormat, chat_turns, check_template
from policies.formats.rhyming_words import draw_rhyming_words
from policies.hub import scorer as hub
from policies.llama.bare import BareLlama
from policies.llama.decoder import can_step
from policies.llama.scorer import Trunk, can_read, score_tokens
from policies.loading import eight_bits
from policies.loading.adapters import add_lora, parse_lora
from policies.loading.files import SHIPPED, locate, newest, quiet
from policies.loading.open import open_files
from rlpoet.errors import RlpoetError
from rlpoet.machine import AUTO, gpu
from rlpoet.prosody.forms import form
from rlpoet.registry import CAUSAL_LM, name_class
from rlpoet.rollout import RhymingWords, Rollout, TokenScores
from rlpoet.text import whole_files
from rlpoet.types import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SMALL = 100_000_000  # parameters

__all__ = ["SHIPPED", "CausalPolicy", "locate", "newest", "quiet"]


P = ParamSpec("P")
T = TypeVar("T")


def _by_own_weights(method: Callable[Concatenate[CausalPolicy, P], T]) -> Callable[Concatenate[CausalPolicy, P], T]:
    """A method that uses the model, with the weights that are the policy's (``CausalPolicy._weights``)."""

    @functools.wraps(method)
    def used(self: CausalPolicy, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._weights():
            return method(self, *args, **kwargs)

    return used


class CausalPolicy:
    """A causal LM, its tokenizer and the format of its verse.

    Attributes:
        model: on whatever device; sampling follows it.
        precision: dtype of the matrix products in ``log_prob`` and in sampling. float32 is exact, bfloat16 about twice
            as fast on processors that have it; sampling then is very slightly off-policy.
        allow_identical_rhyme: whether ``sample`` lets a word rhyme with itself. Masking it repairs half of the pairs that fail. In
            training it is allowed, so that a policy learns from what it writes by itself (``rlpoet.training.run``).
        micro_batch: rows that ``log_prob`` reads together, by a model's own forward pass; None for all. The fast path of a Llama on a CPU
            reads few at a time in any case. Its numbers and gradients do not change, only memory and time do.
        progress: called by ``sample`` with the number of finished poems and their total, whenever one ends; None by default.
    """

    name = CAUSAL_LM

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, verse_format: Format, *, seed: int = 0) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.precision, self.allow_identical_rhyme = torch.float32, False
        self._trunk, self._leads = Trunk(), False  # what its reference, which leads, leaves of a batch for it to go on from
        self.micro_batch: int | None = None
        self.progress: Callable[[int, int], None] | None = None
        self.generator = torch.Generator().manual_seed(seed % 2**63)  # any number
        self._adapter: Any = None  # what learns, if that is not the model (``adapt``)
        self._n_switched = 0
        self._switched_off: Any = None  # of a reference: the adapter of the model that it shares
        self.adopt(verse_format)

    def adopt(self, verse_format: Format) -> None:
        """Use this format from now on; the tokenizer must have an id for each of its marks."""
        self.format = verse_format
        self.codec = codec_of(verse_format, self.tokenizer, stops=stops_of(self.model))
        self.pad, self.end = self.codec.pad, self.codec.end

    def ask_by(self, *, template: str = "", theme: str = "", examples: Sequence[tuple[Prompt, str]] = (), chat: bool = False) -> None:
        """Ask for poems in other words than the header's; ``save`` keeps them with the policy.

        Args:
            template: text with the fields of ``policies.formats.plain.PlainFormat.template``.
            theme: what stands for its field ``{theme}``.
            examples: poems to show before the one that is asked for, each with its prompt.
            chat: put request and examples into the turns of the tokenizer's chat template.

        Raises:
            RlpoetError, UnknownName: a policy with marks of its own, which reads no words of a request; no such field; no chat template.
        """
        if not isinstance(self.format, PlainFormat):
            raise RlpoetError(
                "--prompt_file, --shots and --chat: this policy is asked by marks, not in words; expected a plain model. Leave them out."
            )
        changed: dict[str, Any] = {"theme": theme}
        if template:
            changed["template"] = check_template(template)
        if examples:
            changed["examples"] = tuple((prompt.form, prompt.author or "", text) for prompt, text in examples)
        if chat:
            changed["turns"] = chat_turns(self.tokenizer)
        self.adopt(dataclasses.replace(self.format, **changed))

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
        device: str = "auto",
        lang: str | None = None,
        allow_download: bool = False,
        inference_only: bool = False,
        trust_remote_code: bool = False,
        keep_gguf: bool = True,
    ) -> Self:
        """Open a shipped policy by its language, a folder, an adapter, a GGUF file, or a model of the local Hugging Face cache.

        Args:
            device: where the model is to be; ``auto`` takes a GPU if there is one, unless ``is_quick_on_a_cpu``.
            lang: language in which a plain model is to write; a policy with its own marks keeps its language.
            allow_download: fetch a hub model that the cache does not hold; nothing is ever fetched without it.
            inference_only: open in one second instead of several, to sample and compute log-probabilities only. If possible,
                ``model`` then holds weights alone (``policies.llama.bare``): it has no forward pass and cannot be saved or adapted.
            trust_remote_code: run the Python code that a model brings with it, for an architecture that transformers does not have.
            keep_gguf: keep a converted GGUF file in the user's cache folder, so that it opens in seconds from then on.

        Raises:
            UnknownName: there is no policy of that name.
            RlpoetError: the folder holds no policy, or a broken one, or an adapter of another base.
        """
        light = inference_only and device in (AUTO, "cpu")  # elsewhere a model is read by its own forward pass
        model, tokenizer, verse_format = open_files(
            source, lang=lang, allow_download=allow_download, inference_only=light, trust_remote_code=trust_remote_code, keep_gguf=keep_gguf
        )  # fmt: skip
        if device == AUTO:
            device = "cpu" if is_quick_on_a_cpu(model) else gpu()
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
        """The policy as it was before it learned, frozen, with a generator of its own.

        Of a policy with an adapter it is the same model with the adapter off: no second copy of the weights. Else it is a copy."""
        if self._adapter is None:
            twin = self.copy()
            twin.model.requires_grad_(False)
        else:
            twin = type(self)(self.model, self.tokenizer, self.format)
            twin._switched_off = self._adapter
        twin.precision, twin.micro_batch = self.precision, self.micro_batch
        twin._trunk, twin._leads = self._trunk, True
        return twin

    def copy(self) -> Self:
        """A policy with weights of its own, as they are now; the same parameters learn."""
        twin = type(self)(copy.deepcopy(self.model).eval(), self.tokenizer, self.format)
        twin.precision, twin.micro_batch = self.precision, self.micro_batch
        return twin

    @contextlib.contextmanager
    def _weights(self) -> Iterator[None]:
        """The weights that are this policy's: without the adapter, of the reference of a policy that has one."""
        if self._switched_off is None or self._n_switched:
            yield
            return
        was_training = self.model.training
        self.model.eval()  # whoever learns may be at it, with dropout
        self._n_switched += 1
        try:
            with self._switched_off.disable_adapter():
                yield
        finally:
            self._n_switched -= 1
            self.model.train(was_training)

    # -- writing ----------------------------------------------------------------------------------

    @_by_own_weights
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
        best_of_line: int = 1,
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
            best_of_line: draws of each line, of which the best is kept (``policies.decoding.line_search``); the poems then are no sample
                of the policy. Not with beams, a theme, ``max_new_tokens`` or ``watch``.
            watch: called once per token with its row, as it is drawn; see ``sample_tokens``.
            decoding: fields of ``policies.decoding.sampler.Decoding``. With ``beams`` the poems of a prompt are its ``n`` likeliest.

        Raises:
            RlpoetError: ``n`` is larger than the number of beams, or ``best_of_line`` is given with what it does not take.
        """
        repeated = [prompt for prompt in prompts for _ in range(n)]
        starts = {prompt: self.start_ids(prompt) for prompt in dict.fromkeys(repeated)}
        room = max_new_tokens or self.codec.line_room * max((form(p.form, p.lang).n_lines - len(p.opening) for p in prompts), default=1)
        if (reach := table_of_positions(self.model)) is not None:
            longest = max(map(len, starts.values()), default=0)
            if longest >= reach:
                raise RlpoetError(
                    f"prompt: {longest} tokens, and the model reads {reach}; expected fewer. Give fewer --shots or a shorter --prompt_file."
                )
            room = min(room, reach - longest)
        options = Decoding(temperature=temperature, max_new_tokens=room, **decoding)
        if options.beams and options.beams < n:
            raise RlpoetError(f"beams: {options.beams} for {n} poems; expected at least as many beams as poems.")
        self.model.eval()

        repeats = self.allow_identical_rhyme if allow_identical_rhyme is None else allow_identical_rhyme
        if best_of_line != 1:
            if best_of_line < 1 or options.beams or theme or max_new_tokens or watch is not None:
                raise RlpoetError(f"best_of_line: {best_of_line}; expected 1 or more, without beams, theme, max_new_tokens and watch.")
            per_line = dataclasses.replace(options, max_new_tokens=min(self.codec.line_room, room))
            return self.write(
                repeated,
                search_lines(self, repeated, best_of_line, per_line, allow_identical_rhyme=repeats, constrained=constrained),
            )

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
                self.model, [starts[p] for p in repeated], options, end=self.codec.ends, pad=self.pad, generator=self.generator,
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

    @_by_own_weights
    def lines_ending(self, prompts: Sequence[Prompt], words: Sequence[str]) -> list[str] | None:
        """The next line of each prompt, with a given last word; None if the policy writes lines from their beginning."""
        return lines_ending(self, prompts, words) if self.codec.word_first else None

    @_by_own_weights
    def rhyming_words(self, sounds: Sequence[Sequence[int]], n: int) -> RhymingWords | None:
        """Single words, two for each mark of a sound, ``n`` rows for each given row.

        None if the policy has read no rhyme-pair data (``policies.formats.rhyming_words``)."""
        return draw_rhyming_words(self, sounds, n)

    def meter_error_spans(self, rollout: Rollout, lines: Sequence[tuple[int, int]]) -> Tensor | None:
        """Tokens at which the syllable counts of an unmetrical line are wrong, ``(B, S)`` bool.

        None if the format has no counts (``policies.formats.meter_errors``)."""
        return meter_error_spans(self, rollout, lines)

    def idle_options(self) -> dict[str, str]:
        """Options of training that mean nothing to the policy, and why; none for one with marks that settles last words first."""
        found: dict[str, str] = {}
        if not getattr(self.format, "plans", False):
            no_sounds = "it names no sound before a line"
            found |= {"aux_rhyme_weight": no_sounds, "aux_sampler": no_sounds, "tb.plan_token_weight": no_sounds}
        if not self.codec.word_first:
            forward = "it writes lines from their beginning, so that no last word can be given or weighed apart"
            found |= {"tb.explore rhyme": forward, "tb.rhyme_word_weight": forward, "tb.token_prob_exponent": forward}
        return found

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
        return self.codec.start_ids(prompt)

    def ends_line(self, token: int) -> bool:
        """Whether a line is complete when this token is drawn."""
        return self.codec.ends_line(token)

    def n_tokens(self, words: str) -> int:
        """Tokens of words inside a line."""
        return self.codec.n_tokens(words)

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
        ended = torch.tensor([bool(tokens) and tokens[-1] in self.codec.ends for tokens in new], dtype=torch.bool)
        sounds_drawn = [row for row in sounds if row is not None]
        return Rollout(tuple(prompts), texts, ids, chosen, ended, line_ends, end_words, _positions(sounds_drawn) if sounds_drawn else None)

    # -- weighing ---------------------------------------------------------------------------------

    @_by_own_weights
    def log_prob(self, rollout: Rollout) -> Tensor:
        """Log-probability of each drawn token at temperature 1, ``(B, S)``, nats, 0 elsewhere.

        As in sampling, PAD and the tokens that the batch's masks exclude have no probability. Rows may have any length.
        Gradients flow if the model's parameters need them.
        """
        if can_read(self.model):
            return _spread(self._read(rollout)[0], rollout.chosen)
        return _spread(self._read_by_forward(rollout).log_p, rollout.chosen)

    @_by_own_weights
    def score_tokens(self, rollout: Rollout) -> TokenScores | None:
        """``log_prob`` and the states that a critic needs, from one forward pass.

        None for a model whose logits are not just its head on its last states (``policies.hub.scorer.headed``)."""
        if can_read(self.model):
            log_p, states, entropy = self._read(rollout, entropy=True)
            return TokenScores(_spread(log_p, rollout.chosen), states, entropy)
        if not hub.headed(self.model):
            return None
        scores = self._read_by_forward(rollout, details=True)
        assert scores.states is not None and scores.entropy is not None
        return TokenScores(_spread(scores.log_p, rollout.chosen), scores.states, scores.entropy)

    def _read_by_forward(self, rollout: Rollout, *, details: bool = False) -> hub.Scores:
        token_masks = None if rollout.token_masks is None or rollout.mask_of is None else (rollout.token_masks, rollout.mask_of)
        return hub.score_tokens(
            self.model, rollout.ids, rollout.chosen, pad=self.pad, dtype=self.precision, token_masks=token_masks,
            micro_batch=self.micro_batch, details=details,
        )  # fmt: skip

    def _read(self, rollout: Rollout, *, entropy: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        dtype = self.precision if self.precision == torch.bfloat16 else None
        token_masks = None if rollout.token_masks is None or rollout.mask_of is None else (rollout.token_masks, rollout.mask_of)
        return score_tokens(
            self.model, rollout.ids, rollout.chosen, pad=self.pad, dtype=dtype, entropy=entropy, token_masks=token_masks, trunk=self._trunk,
            keeps=self._leads,
        )  # fmt: skip


def _positions(rows: Sequence[Sequence[int]]) -> Tensor:
    """Rows of positions side by side, ``(B, L)``, -1 where a row has no more."""
    out = torch.full((len(rows), max(map(len, rows), default=0)), -1, dtype=torch.long)
    for row, places in enumerate(rows):
        out[row, : len(places)] = torch.tensor(places, dtype=torch.long)
    return out


def _spread(log_p: Tensor, chosen: Tensor) -> Tensor:
    """``(n,)`` at the places chosen of ``(B, S)``, 0 elsewhere."""
    return torch.zeros(chosen.shape, dtype=log_p.dtype, device=log_p.device).masked_scatter(chosen.to(log_p.device), log_p)


def stops_of(model: Any) -> list[int]:
    """Ids at which a model's generation settings say that it stops: of a model that was taught to talk, the end of a turn is one."""
    ids = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    return [] if ids is None else [int(i) for i in (ids if isinstance(ids, list | tuple) else [ids])]


def is_quick_on_a_cpu(model: Any) -> bool:
    """Whether a model has the fast path of a CPU (``policies.llama``) and is so small that a GPU would mostly wait for the next call."""
    return isinstance(model, BareLlama) or (can_step(model) and sum(weight.numel() for weight in model.parameters()) < SMALL)
