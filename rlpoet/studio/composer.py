"""Writes poems for the page with a policy: the work of ``rlpoet generate``, poem by poem or line by line.

The only module of the studio that loads torch.
"""

from __future__ import annotations

import io
import secrets
import threading
from collections.abc import Callable
from typing import Any

from policies.causal_lm import CausalPolicy
from policies.completion.complete import Wishes, complete
from policies.completion.gaps import MARK
from policies.decoding.stream import LineStream
from policies.generation.choice import chosen
from policies.generation.config import GenerateConfig
from policies.generation.fused_authors import fuse
from policies.generation.generate import choice_of, decoding_of, scored
from policies.generation.rejection import MAX_DRAWS, FormJudge, candidates, sample_accepted
from policies.loading.files import rhyming
from rlpoet.corpus.authors import find_author
from rlpoet.errors import RlpoetError
from rlpoet.languages import code_of
from rlpoet.prosody.forms import form_to_write
from rlpoet.rollout import Policy, load_policy
from rlpoet.studio.pad import analyse, whole
from rlpoet.studio.requests import CompleteAsked, ComposeAsked
from rlpoet.studio.server import Put
from rlpoet.types import Prompt

PROPOSALS = 6


class Stopped(Exception):
    """The page asked for no more."""


class PolicyComposer:
    """Composes with a causal language model, which is opened when it is first needed and kept.

    Args:
        source: a policy as ``rlpoet generate`` names it; None: the rhyming policy of the language.
    """

    def __init__(self, source: str | None = None) -> None:
        self.source = source
        self._policies: dict[str, CausalPolicy] = {}
        self._opening = threading.Lock()

    def policy(self, lang: str, *, fresh: bool = False) -> CausalPolicy:
        """The policy of a language.

        Args:
            fresh: open it again.

        Raises:
            RlpoetError: there is none, or it writes another language.
        """
        with self._opening:
            if fresh or lang not in self._policies:
                opened: Policy = load_policy(self.source or rhyming(code_of(lang)), lang=lang, inference_only=True)
                if not isinstance(opened, CausalPolicy):
                    raise RlpoetError(f"policy: a {type(opened).__name__}; expected a causal-lm policy. Start the studio with --policy.")
                self._policies[lang] = opened
            return self._policies[lang]

    def compose(self, asked: ComposeAsked, put: Put, stop: threading.Event) -> None:
        """Events: ``status``; ``line`` for a line just written; ``poem`` for a poem that is done.

        Raises:
            RlpoetError: a form or an author that the policy cannot write.
        """
        form = form_to_write(asked.form, asked.lang)
        policy, author = self._manner(asked)
        seed = secrets.randbelow(2**31) if asked.seed is None else asked.seed
        policy.generator.manual_seed(seed)
        opening = tuple(filter(None, [asked.first_line.strip()]))
        prompt = Prompt(asked.lang, form.name, author, opening)
        theme = [word.strip() for word in asked.theme.split(",") if word.strip()]
        config = GenerateConfig(lang=asked.lang, form=asked.form, temperature=asked.temperature, raw=asked.line_by_line)
        decoding = decoding_of(config, theme)
        judge = FormJudge(n_given=len(opening), given="\n".join(opening))
        best_of, settle = choice_of(config, form.n_lines)
        try:
            for number in range(asked.n):
                where = f"Poem {number + 1} of {asked.n}"
                if asked.line_by_line:
                    put({"type": "status", "text": f"{where}: as it is written, whether or not it keeps its form."})
                    drafts = [
                        judge(prompt, _line_by_line(policy, prompt, decoding, stop, lambda line: put({"type": "line", "text": line})))
                    ]
                else:
                    put({"type": "status", "text": f"{where}: drawing until it keeps its form."})
                    draw = _draws(policy, prompt, decoding, stop)
                    (drawn,) = sample_accepted(draw, judge, 1, max_draws=MAX_DRAWS, best_of=best_of, settle=settle).drafts
                    drafts = list(drawn)
                options = [(scored(draft.text, prompt), draft) for draft in candidates(drafts, best_of)]
                poem, draft = chosen(policy, options, theme)
                about = {"perfect": draft.perfect, "draws": len(drafts), "seed": seed, "author": author or ""}
                put({"type": "poem", "number": number, "poem": whole(poem, asked.lang), **about})
        except Stopped:
            return

    def complete(self, asked: CompleteAsked, put: Put, stop: threading.Event) -> None:
        """Events: ``status``; ``proposal`` for a line that keeps its rhyme and its length, the best first.

        Raises:
            RlpoetError: no such line, or lines that cannot be completed.
        """
        rows = asked.text.split("\n")
        if asked.line >= len(rows):
            raise RlpoetError(f"line {asked.line + 1}: a text of {len(rows)} lines; expected one of them.")
        given, rows[asked.line] = rows[asked.line], f"{asked.begin.strip()} {MARK}".lstrip()
        policy = self.policy(asked.lang)
        put({"type": "status", "text": f"Writing lines that fit as line {asked.line + 1}."})

        def go_on(done: int) -> None:
            _go_on(stop)

        try:
            found = complete(policy, "\n".join(rows), asked=asked.form or None, wishes=Wishes(n=PROPOSALS), tick=go_on)
        except Stopped:
            return
        told = {given.strip()}
        for one in found:
            line = one.text.split("\n")[asked.line].strip()
            if one.unfilled or line in told:
                continue
            told.add(line)
            rows[asked.line] = line
            heard = analyse("\n".join(rows), asked.lang, asked.form or None)["rows"][asked.line]
            rhyme = [reason for reason in heard["reasons"] if reason.startswith("rhyme")]
            put({"type": "proposal", "line": line, "about": " · ".join([f"{heard['count']} syllables", *rhyme])})

    def _manner(self, asked: ComposeAsked) -> tuple[CausalPolicy, str | None]:
        """The policy, and its code for the authors asked for.

        A policy without room for another blend is opened again, without the earlier ones.
        """
        policy = self.policy(asked.lang)
        names = [name for name in policy.authors if ":" not in name]  # without earlier blends
        weights: dict[str, float] = {}
        for author in asked.authors:
            name = find_author(author.name, names)
            weights[name] = weights.get(name, 0.0) + author.weight
        if len(weights) < 2:
            return policy, next(iter(weights), None)
        if len(policy.tokenizer) >= policy.model.get_input_embeddings().weight.shape[0]:
            policy = self.policy(asked.lang, fresh=True)
        total = sum(weights.values())
        return policy, fuse(policy, {name: weight / total for name, weight in weights.items()})


def _draws(
    policy: CausalPolicy, prompt: Prompt, decoding: dict[str, Any], stop: threading.Event
) -> Callable[[int], list[tuple[Prompt, str]]]:
    """Draws so many poems at once, until ``stop``."""

    def draw(n: int) -> list[tuple[Prompt, str]]:
        return [(prompt, text) for text in policy.sample([prompt], n, watch=lambda row, token: _go_on(stop), **decoding).texts]

    return draw


def _line_by_line(
    policy: CausalPolicy, prompt: Prompt, decoding: dict[str, Any], stop: threading.Event, put: Callable[[str], object]
) -> str:
    """One poem, each of its lines told as soon as it is written."""
    stream = LineStream(policy, _Lines(put))
    show = stream.begin(prompt)

    def watch(row: int, token: int) -> None:
        _go_on(stop)
        show(row, token)

    text = policy.sample([prompt], watch=watch, **decoding).texts[0]
    stream.end()
    return text


def _go_on(stop: threading.Event) -> None:
    if stop.is_set():
        raise Stopped


class _Lines(io.StringIO):
    """A file that hands on each line that is written to it."""

    def __init__(self, put: Callable[[str], object]) -> None:
        super().__init__()
        self._put = put

    def write(self, text: str) -> int:
        self._put(text.removesuffix("\n"))
        return len(text)
