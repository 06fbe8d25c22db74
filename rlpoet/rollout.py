"""What a policy wrote, as the trainers need it: tokens, which of them it chose, and the text they spell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn

from rlpoet import registry
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.machine import check_device
from rlpoet.registry import CLASS_FILE, POLICIES, class_of
from rlpoet.text import read_text
from rlpoet.types import Prompt

ADAPTER = "adapter_config.json"  # in the folder of a LoRA adapter
LATEST, RUNS = "latest", Path("runs")
NEUTRAL = {"device": "auto", "allow_download": False, "inference_only": False, "trust_remote_code": False, "keep_gguf": True}  # when opened


@dataclass(frozen=True)
class Rollout:
    """B texts as one padded batch.

    Attributes:
        prompts: what was asked for, one a row.
        texts: the poems, opening lines included, marks stripped.
        ids: ``(B, S)`` token ids, prompt then continuation then padding on the right.
        chosen: ``(B, S)`` bool, True on tokens the policy drew (END included).
        ended: ``(B,)`` bool, False where the length limit cut the text off.
        line_ends: ``(B, L)`` position in ``ids`` of the last token of each line the policy wrote,
            -1 where there is none. Column 0 is the first line after the opening.
        end_words: ``(B, L)`` position of the last token of each line's last word: ``line_ends`` for a policy that writes
            forward, early in the line for one that writes each line from its end. -1 as there.
        sounds: ``(B, L)`` position of the mark by which each line announces its rhyme, -1 where there is none; None from a policy
            that announces none.
        token_masks: what could not be drawn, ``(U, V)`` bool, one row for each set of pieces that some place masked; None where that was
            not asked for (``Policy.masked``). Log-probabilities of a batch that has them are renormalised over the rest.
        mask_of: row of ``token_masks`` at each token drawn, ``(B, S)``, 0 elsewhere.
    """

    prompts: tuple[Prompt, ...]
    texts: tuple[str, ...]
    ids: Tensor
    chosen: Tensor
    ended: Tensor
    line_ends: Tensor
    end_words: Tensor
    sounds: Tensor | None = None
    token_masks: Tensor | None = None
    mask_of: Tensor | None = None

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def n_tokens(self) -> Tensor:
        """Tokens the policy drew in each row, ``(B,)``."""
        return self.chosen.sum(1)

    def rows(self, index: Sequence[int]) -> Rollout:
        """The named rows, in that order, cut to their longest."""
        at = torch.as_tensor(index, dtype=torch.long)
        ids, chosen = self.ids[at], self.chosen[at]
        used = chosen.any(0).nonzero()
        width = int(used[-1]) + 1 if len(used) else ids.shape[1]
        prompts, texts = tuple(self.prompts[i] for i in index), tuple(self.texts[i] for i in index)
        return replace(
            self,
            prompts=prompts,
            texts=texts,
            ids=ids[:, :width],
            chosen=chosen[:, :width],
            ended=self.ended[at],
            line_ends=self.line_ends[at],
            end_words=self.end_words[at],
            sounds=None if self.sounds is None else self.sounds[at],
            mask_of=None if self.mask_of is None else self.mask_of[at, :width],
        )


def join(rollouts: Sequence[Rollout], *, pad: int) -> Rollout:
    """Several batches as one, in order, padded to the longest. Where some have ``token_masks``, nothing is masked in the others."""

    def stack(parts: list[Tensor], fill: int | bool) -> Tensor:
        width = max(part.shape[1] for part in parts)
        return torch.cat([nn.functional.pad(part, (0, width - part.shape[1]), value=fill) for part in parts])

    masks, mask_of = _joined_masks(rollouts)
    return Rollout(
        tuple(p for r in rollouts for p in r.prompts),
        tuple(t for r in rollouts for t in r.texts),
        stack([r.ids for r in rollouts], pad),
        stack([r.chosen for r in rollouts], False),
        torch.cat([r.ended for r in rollouts]),
        stack([r.line_ends for r in rollouts], -1),
        stack([r.end_words for r in rollouts], -1),
        None if any(r.sounds is None for r in rollouts) else stack([r.sounds for r in rollouts if r.sounds is not None], -1),
        masks,
        None if mask_of is None else stack(mask_of, 0),
    )


def _joined_masks(rollouts: Sequence[Rollout]) -> tuple[Tensor | None, list[Tensor] | None]:
    """One table of masks for several batches, and the rows of it that hold in each."""
    tables = [r.token_masks for r in rollouts if r.token_masks is not None]
    if not tables:
        return None, None
    free = torch.zeros(1, tables[0].shape[1], dtype=torch.bool)  # row 0, of batches without masks
    parts, mask_of, n = [free], [], 1
    for r in rollouts:
        if r.token_masks is None or r.mask_of is None:
            mask_of.append(torch.zeros(r.ids.shape, dtype=torch.long))
            continue
        mask_of.append(r.mask_of + n)
        parts.append(r.token_masks)
        n += len(r.token_masks)
    return torch.cat(parts), mask_of


def follows_masks(rollout: Rollout) -> Tensor:
    """Rows without a token that its mask excludes, ``(B,)`` bool: what a policy could have drawn. All rows of a batch without masks."""
    if rollout.token_masks is None or rollout.mask_of is None:
        return torch.ones(len(rollout), dtype=torch.bool)
    return ~(rollout.token_masks[rollout.mask_of, rollout.ids] & rollout.chosen).any(1)


@dataclass(frozen=True)
class TokenScores:
    """Scores of the tokens of a batch. N tokens were drawn, in the order of the batch's rows.

    Attributes:
        log_p: as ``Policy.log_prob`` gives it, ``(B, S)``, nats.
        states: the policy's last hidden state before each token drawn, detached, ``(N, H)``.
        entropy: of each distribution over tokens, PAD left out, detached, ``(N,)``, nats.
    """

    log_p: Tensor
    states: Tensor
    entropy: Tensor


@dataclass(frozen=True)
class RhymingWords:
    """Words of the auxiliary task, several per row; rows of one list of sounds stand side by side.

    Attributes:
        rollout: the rows; ``chosen`` is True on the words and on the mark after each, which says that it is over.
        word_of: word each token belongs to, ``(B, S)``; read where ``chosen``.
        right: whether the rhyme reward would pay a word: it is known, has its sound, is not its mate, and rhymes with it if that is right
            too, ``(B, K)``.
        whole: whether a word was finished, ``(B, K)``.
    """

    rollout: Rollout
    word_of: Tensor
    right: Tensor
    whole: Tensor


class Policy(Protocol):
    """What the trainers ask of a policy. What some policies can do besides is a protocol each, after this one.

    ``policies.testing.contract.check_policy`` holds one to it.

    Attributes:
        lang: code of the language it writes in.
        authors: whose manner it can be asked for, commonest first.
        model: an ``nn.Module`` with ``get_input_embeddings()`` and ``get_output_embeddings()`` as a Hugging Face causal LM has them, and
            with ``config.vocab_size``. Trainers optimise its parameters, and keep its ``state_dict`` in their checkpoints.
        pad: id that is never drawn, and fills batches.
        generator: of all draws; its state alone decides what ``sample`` gives.
        precision: of the matrix products.
        allow_identical_rhyme: whether a word may rhyme with itself in what it draws; a policy that bans nothing keeps it and ignores it.
    """

    lang: str
    authors: tuple[str, ...]
    model: Any
    pad: int
    generator: torch.Generator
    precision: torch.dtype
    allow_identical_rhyme: bool

    def sample(self, prompts: Sequence[Prompt], n: int = 1, *, temperature: float = 1.0, **decoding: Any) -> Rollout:
        """``n`` poems per prompt, those of one prompt side by side.

        Args:
            temperature: divides the logits; 1 is the distribution that ``log_prob`` weighs.
            decoding: at least ``top_p``; see ``policies.decoding.sampler.Decoding``. One that is at its neutral value may be left out. A
                policy raises ``RlpoetError`` for one that it cannot follow.
        """
        ...

    def log_prob(self, rollout: Rollout) -> Tensor:
        """Per-token log-probabilities at temperature 1, ``(B, S)``, nats, 0 where ``chosen`` is False."""
        ...

    def reference(self) -> Self:
        """The policy as it was before it learned, frozen, with a generator of its own: the prior of a run."""
        ...

    def write(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> Rollout:
        """Given poems as if the policy had written them (human stanzas, edited lines)."""
        ...

    def save(self, folder: str) -> None:
        """Write a folder that ``load`` opens; a class other than ``causal-lm`` names itself in it (``rlpoet.registry.name_class``)."""
        ...


@runtime_checkable
class ScoresTokens(Protocol):
    """Gives states and entropies with the log-probabilities, from one reading. PPO then leaves the head of the model alone."""

    def score_tokens(self, rollout: Rollout) -> TokenScores | None:
        """Log-probabilities in nats with the graph of their gradients, states and entropies; None where the model cannot give them."""
        ...


@runtime_checkable
class TracksMasks(Protocol):
    """Knows which tokens it could not draw, so that trainers weigh the distribution that is sampled."""

    def masked(self, rollout: Rollout) -> Rollout:
        """The same rows with ``token_masks`` and ``mask_of``, whoever drew them; up to the first token excluded (``follows_masks``)."""
        ...


@runtime_checkable
class LocatesMeterErrors(Protocol):
    """Knows by which tokens a line left its meter. Trajectory balance then holds the lost reward against them alone."""

    def meter_error_spans(self, rollout: Rollout, lines: Sequence[tuple[int, int]]) -> Tensor | None:
        """Those tokens, ``(B, S)`` bool; None where the policy cannot tell.

        Args:
            lines: row and column of each line in ``rollout.line_ends``.
        """
        ...


@runtime_checkable
class DrawsRhymingWords(Protocol):
    """Writes single words that have a sound, for the auxiliary task."""

    def rhyming_words(self, sounds: Sequence[Sequence[int]], n: int) -> RhymingWords | None:
        """``n`` rows of words for each row of sounds, two words per sound, drawn at temperature 1; None where the policy cannot.

        Args:
            sounds: ids of the tokens that name sounds, as they stand at ``Rollout.sounds``.
        """
        ...


@runtime_checkable
class EndsLines(Protocol):
    """Writes a line that ends in a given word, for ``--tb.explore rhyme``."""

    def lines_ending(self, prompts: Sequence[Prompt], words: Sequence[str]) -> list[str] | None:
        """The next line of each prompt, drawn at temperature 1 after its last word, "" where none came of it; None where it cannot.

        Args:
            prompts: the lines before are their opening.
            words: last word of each line, one per prompt.
        """
        ...


@runtime_checkable
class TakesAdapter(Protocol):
    """Can be trained by a low-rank adapter alone, for ``--lora``."""

    def adapt(self, lora: str, *, seed: int = 0) -> None:
        """Put a fresh adapter on the model, in place. Only its parameters then have ``requires_grad``; ``save`` writes it merged.

        Args:
            lora: ``r=16,alpha=32,dropout=0.0``, each of them optional.
            seed: of its first weights.
        """
        ...


@runtime_checkable
class CopiesItself(Protocol):
    """Makes a second policy that learns apart from it, for ``--ppo.critic model``. Without it, ``reference`` is taken for one."""

    def copy(self) -> Self:
        """A policy with weights of its own, as they are now; the same parameters have ``requires_grad``."""
        ...


@runtime_checkable
class NamesIdleOptions(Protocol):
    """Knows which options of training mean nothing to it, so that they are refused where they are given."""

    def idle_options(self) -> Mapping[str, str]:
        """Dotted name of each such option, or ``name value`` for one of its values, and why: the end of a sentence."""
        ...


@runtime_checkable
class AskedInWords(Protocol):
    """Reads a request in words, which may be others, for ``--prompt_file``, ``--shots`` and ``--chat``."""

    def ask_by(self, *, template: str = "", theme: str = "", examples: Sequence[tuple[Prompt, str]] = (), chat: bool = False) -> None:
        """Ask for poems in these words from now on; ``save`` keeps them.

        Args:
            template: the request, with fields in braces.
            theme: what stands for its field ``{theme}``.
            examples: poems to show first, each with its prompt.
            chat: use the turns of a model that was taught to talk.
        """
        ...


@runtime_checkable
class ReadsInParts(Protocol):
    """Can weigh a batch some rows at a time, for ``--micro_batch``: the same numbers and gradients in less memory.

    Attributes:
        micro_batch: rows read together; None for as many as it likes.
    """

    micro_batch: int | None


@runtime_checkable
class ReportsProgress(Protocol):
    """Says while it samples how far it is.

    Attributes:
        progress: called by ``sample`` with the poems done and all poems of the call, whenever one ends; None: nobody asks.
    """

    progress: Callable[[int, int], None] | None


@runtime_checkable
class ShowsTokens(Protocol):
    """Shows its tokens, so that another library can draw and weigh them (the trainers of trl).

    Attributes:
        tokenizer: a Hugging Face tokenizer with an id for each token.
        end: id of the token that ends a poem.
    """

    tokenizer: Any
    end: int

    def start_ids(self, prompt: Prompt) -> list[int]:
        """The tokens that a poem of this prompt begins with."""
        ...

    def continued(self, prompts: Sequence[Prompt], tokens: Sequence[Sequence[int]]) -> Rollout:
        """The rollout of token sequences that follow their prompts, one per prompt, whoever drew them."""
        ...


class PolicyClass(Protocol):
    """What an entry point of the group ``rlpoet.policies`` names: a class of policies, chosen by ``--policy_class`` or by its folder.

    Attributes:
        name: that of its entry point.
    """

    name: str

    def load(
        self,
        source: str | Path,
        *,
        seed: int = 0,
        lang: str | None = None,
        device: str = "auto",
        allow_download: bool = False,
        inference_only: bool = False,
        trust_remote_code: bool = False,
        keep_gguf: bool = True,
    ) -> Policy:
        """Open a policy.

        Args:
            source: a folder that ``save`` wrote, or a name that only the class knows. It is the language where a user names no policy, as
                in ``rlpoet train --policy_class NAME``: give a fresh policy then, or raise.
            seed: of what it samples.
            lang: language it is to write in, if it can write several.
            device: where its model is to be; auto leaves it to the class.
            allow_download: whether it may fetch what is not on this machine.
            inference_only: a hint that it will not be trained; a class may ignore it.
            trust_remote_code, keep_gguf: see ``rlpoet.config.opening``.
        """
        ...


def newest(folder: Path) -> Path:
    """The policy or adapter saved last under a folder.

    Raises:
        RlpoetError: there is none.
    """
    found = [path for path in folder.glob("**/config.json") if (path.parent / "model.safetensors").exists()]
    found += [*folder.glob(f"**/{ADAPTER}"), *folder.glob(f"**/{CLASS_FILE}")]
    if not found:
        raise RlpoetError(f"policy {LATEST}: none under {folder}/; expected a run there. Train one first: rlpoet train.")
    return max(found, key=lambda path: path.stat().st_mtime).parent


def load_policy(
    source: str | Path, *, seed: int = 0, lang: str | None = None, policy_class: str | None = None, **options: bool | str
) -> Policy:
    """A policy by any of its names.

    Args:
        source: a shipped prior (``fr``) or rhyming policy (``fr-tb``), the folder of one or of a run, ``latest``, the newest under
            ``runs``, ``hf:OWNER/NAME`` in the cache of Hugging Face; what a class of another package knows.
        seed: of what it samples.
        lang: language a plain model is to write in; a policy with marks of its own keeps its own.
        policy_class: name of the class that opens it, one of the group ``rlpoet.policies``; by default the one its folder names, else
            ``causal-lm``.
        options: those of ``PolicyClass.load`` that are not named above. The class gets those that are not at their defaults.

    Raises:
        UnknownName: nothing of that name.
        RlpoetError: the folder holds no policy, or a broken one, or one of a class that is not installed.
    """
    if str(source) == LATEST and not Path(source).exists():
        source = newest(RUNS)
    name, known = policy_class or class_of(source), registry.names(POLICIES)
    if known and name not in known:
        if policy_class:
            raise UnknownName("policy_class", name, known)
        raise RlpoetError(
            f"{source}: saved by the policy class {name!r}, which is not installed; expected one of {', '.join(known)}. "
            "Install the package that has it."
        )
    kind = registry.load(POLICIES, name)
    if not callable(getattr(kind, "load", None)):
        raise RlpoetError(f"{POLICIES}: {name!r} is {kind!r}; expected a class with load(source, seed=, lang=).")
    told = {key: value for key, value in options.items() if value != NEUTRAL.get(key)}
    policy: Policy = kind.load(source, seed=seed, lang=lang, **told)
    return policy


class Opening(Protocol):
    """How a verb opens a policy; ``rlpoet.config.opening.OpeningOptions``."""

    @property
    def device(self) -> str: ...
    @property
    def allow_download(self) -> bool: ...
    @property
    def trust_remote_code(self) -> bool: ...
    @property
    def keep_gguf(self) -> bool: ...


def open_policy(
    source: str | Path, config: Opening, *, seed: int, lang: str | None, policy_class: str | None, inference_only: bool = False
) -> Policy:
    """As ``load_policy``, with the options of a verb.

    Raises:
        RlpoetError: also for a device that is not here.
    """
    check_device(config.device)
    return load_policy(
        source, seed=seed, lang=lang, policy_class=policy_class, device=config.device, inference_only=inference_only,
        allow_download=config.allow_download, trust_remote_code=config.trust_remote_code, keep_gguf=config.keep_gguf,
    )  # fmt: skip


class Asking(Protocol):
    """How a verb asks a policy; ``rlpoet.config.opening.AskingOptions``."""

    @property
    def prompt_file(self) -> str | None: ...
    @property
    def shots(self) -> int: ...
    @property
    def chat(self) -> bool: ...


def ask_by(policy: Policy, config: Asking, examples: Sequence[tuple[Prompt, str]], *, theme: str = "") -> None:
    """Have a policy asked as a verb's options say; nothing happens where none of them is given.

    Args:
        examples: the poems of ``shots``.
        theme: what stands for the field ``{theme}`` of a template.

    Raises:
        RlpoetError: the policy is not asked in words, or a file that cannot be read.
    """
    if not (config.prompt_file or examples or config.chat):
        return
    if not isinstance(policy, AskedInWords):
        raise RlpoetError(
            f"--prompt_file, --shots and --chat: {type(policy).__name__} is not asked in words; expected a plain model. Leave them out."
        )
    template = read_text(Path(config.prompt_file)) if config.prompt_file else ""
    policy.ask_by(template=template, theme=theme, examples=examples, chat=config.chat)
