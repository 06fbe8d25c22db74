"""Which trainer comes nearest to its target, where the target is known exactly: the choice of a line's last word.

    python -m experiments.studies.end_words              # writes experiments/results/end_words.json, some quarter of an hour

Each of ``N_CONTEXTS`` contexts is a poem of the shipped prior up to the plan token of a line that has to rhyme. What may follow are the
words that the prior gives ``LEAST`` or more, enumerated piece by piece, with their probabilities renormalised. A word earns 1 if it
rhymes with the line's mate by ``rewards.rhyme.Rhyme``, else 0. A pair decides ``BETA`` nats of a quatrain by the defaults of
``rlpoet train``. So the target ``p0 exp(beta r) / Z`` is known in every context.

The policy adds ``state A word`` to the prior's log-probability: the prior's state at the plan token, a matrix that is learned and begins
at 0, and the pieces of the word as the prior embeds them. What is learned of one context counts for all others, as in a language model.
All trainers make their own steps, as in a run, and meet every context equally often.

Each trainer has the same budget of tuning: the grids of ``ARMS``, on ``TUNING`` seeds. The best cell by the KL at the end is then run on
``SEEDS``, which no choice was made on.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel

from experiments.release.results_page import RESULTS
from rewards.rhyme import Rhyme
from rlpoet.prosody.ending import end_of
from rlpoet.rollout import Rollout, TokenScores, load_policy
from rlpoet.training.build import trainer_class
from rlpoet.training.options import StepOptions
from rlpoet.training.run import commit
from rlpoet.types import Prompt

N_CONTEXTS, LEAST, MOST_PIECES = 200, 1e-3, 6
WIDTH, LOUD = 64, 8.0  # directions, and the length of a state beside a context's logits
BETA = 6.0  # 30 times a weight of .4, over two pairs
STEPS, CONTEXTS_A_STEP, WORDS = 200, 24, 8
TOLD = (25, 50, 100, 200)  # steps after which the KL is noted
SEEDS, TUNING = (0, 1, 2, 3, 4), (100, 101)
RATES = (1e-2, 3e-2, 1e-1, 3e-1)


# -- the contexts ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Contexts:
    """C contexts and the words that may follow each, at most K, numbered in each context anew.

    Attributes:
        log_prior: ``(C, K)``, nats; ``-inf`` where a context has fewer words. Rows are normalised.
        right: whether a word rhymes, ``(C, K)`` bool.
        states: of the prior at the plan token, in their ``WIDTH`` principal directions, ``(C, D)``.
        words: the prior's embeddings of a word's first and last piece, in as many directions, ``(C, K, D)``.
        spelt: the words of each context.
    """

    log_prior: Tensor
    right: Tensor
    states: Tensor
    words: Tensor
    spelt: tuple[tuple[str, ...], ...]

    @property
    def log_target(self) -> Tensor:
        return (self.log_prior + BETA * self.right).log_softmax(1)


@torch.no_grad()
def enumerated(lang: str, n: int, *, seed: int) -> Contexts:
    """The first ``n`` contexts of the shipped prior's own poems in which some word earns: a mate of no lexicon rhymes with none."""
    policy: Any = load_policy(lang, seed=seed)
    model, vocabulary = policy.model, policy.model.config.vocab_size  # of which the last have no piece
    tokens = [token or "" for token in policy.tokenizer.convert_ids_to_tokens(list(range(vocabulary)))]
    begins = torch.tensor([token.startswith("▁") and token[1:].isalpha() for token in tokens])
    goes_on = torch.tensor([token.isalpha() for token in tokens])
    poems, reward = policy.sample([Prompt(lang, "quatrain-abab")], 2 * n), Rhyme()
    found: list[dict[tuple[int, ...], float]] = []
    states, spelt, right = [], [], []
    for row, text in enumerate(poems.texts):
        line = 2 + row % 2
        context = poems.ids[row, : int(poems.sounds[row, line]) + 1]
        words = _words(model, context, begins, goes_on)
        own = ["".join(tokens[piece] for piece in pieces).strip("▁") for pieces in words]
        mate = end_of(text.split("\n")[line - 2], lang).word
        scores = reward.score([Prompt(lang, "couplet")] * len(own), [f"{mate}\n{word}" for word in own])
        if any(scores) and not all(scores):
            found.append(words)
            spelt.append(tuple(own))
            right.append(torch.tensor([bool(score) for score in scores]))
            states.append(model(context[None], output_hidden_states=True).hidden_states[-1][0, -1].float())
        if len(found) == n:
            break
    table = policy.model.get_input_embeddings().weight.float()
    ends = [torch.tensor([[pieces[0], pieces[-1]] for pieces in words]) for words in found]
    embedded = nn.utils.rnn.pad_sequence([table[pair].flatten(1) for pair in ends], batch_first=True)
    log_prior = nn.utils.rnn.pad_sequence(
        [torch.tensor(list(words.values())).log().log_softmax(0) for words in found], batch_first=True, padding_value=-torch.inf
    )
    return Contexts(
        log_prior, nn.utils.rnn.pad_sequence(right, batch_first=True), _principal(torch.stack(states)), _principal(embedded), tuple(spelt)
    )


def _words(model: Any, context: Tensor, begins: Tensor, goes_on: Tensor) -> dict[tuple[int, ...], float]:
    """Probability of each word after a context, by its pieces; words below ``LEAST`` and their beginnings are left out."""
    read = model(context[None], use_cache=True)
    cache = read.past_key_values
    p = read.logits[0, -1].float().masked_fill(~begins, -torch.inf).softmax(0)
    open_ = [((piece,), p[piece].item()) for piece in (p > LEAST).nonzero()[:, 0].tolist()]
    cache.batch_repeat_interleave(len(open_))
    whole: dict[tuple[int, ...], float] = {}
    for _ in range(MOST_PIECES):
        if not open_:
            break
        after = model(torch.tensor([[pieces[-1]] for pieces, _ in open_]), past_key_values=cache).logits[:, -1].float().softmax(1)
        longer = after.masked_fill(~goes_on, 0.0)
        ended = (1.0 - longer.sum(1)).tolist()
        for (pieces, mass), end in zip(open_, ended, strict=True):
            if mass * end > LEAST:
                whole[pieces] = mass * end
        grown = torch.tensor([mass for _, mass in open_])[:, None] * longer
        places = (grown > LEAST).nonzero().tolist()
        cache.batch_select_indices(torch.tensor([i for i, _ in places], dtype=torch.long))
        open_ = [((*open_[i][0], j), grown[i, j].item()) for i, j in places]
    return whole


def _principal(rows: Tensor) -> Tensor:
    """Rows in their ``WIDTH`` principal directions, ``(..., H)`` to ``(..., WIDTH)``, with a mean of 0 and a length of 1."""
    flat = rows.flatten(0, -2)
    centred = rows - flat.mean(0)
    directions = torch.linalg.eigh(centred.flatten(0, -2).T.double() @ centred.flatten(0, -2).double())[1][:, -WIDTH:]
    return nn.functional.normalize(centred @ directions.float(), dim=-1)


# -- the policy -----------------------------------------------------------------------------------------


class Body(nn.Module):
    """From a context's token the logits of its words, and beside them its state for what else may read it, ``(B, S, N + D)``.

    A logit is the prior's log-probability, and what was learned. What is no word of the context has 0, and is always masked.
    """

    log_prior: Tensor
    states: Tensor
    words: Tensor

    def __init__(self, contexts: Contexts) -> None:
        super().__init__()
        n, self.n_words = contexts.log_prior.shape
        self.n_tokens = self.n_words + n + 1  # words, contexts, PAD
        self.register_buffer("log_prior", _widened(contexts.log_prior.masked_fill(contexts.log_prior.isinf(), 0.0), self.n_tokens))
        self.register_buffer("states", contexts.states)
        self.register_buffer("words", contexts.words)
        self.learned = nn.Parameter(torch.zeros(WIDTH, WIDTH))

    def forward(self, input_ids: Tensor, **_: Any) -> Any:
        more = (self.words @ (self.states @ self.learned)[:, :, None]).squeeze(2)  # of all contexts, since to pick their words costs more
        logits = self.log_prior + _widened(more, self.n_tokens)
        both = torch.cat([logits, LOUD * self.states], 1)
        return SimpleNamespace(last_hidden_state=both[(input_ids - self.n_words).clamp(0, len(self.states) - 1)])


def _widened(rows: Tensor, width: int) -> Tensor:
    return nn.functional.pad(rows, (0, width - rows.shape[1]))


class Choice(PreTrainedModel, GenerationMixin):
    """The same as trl wants a model, with a head that is linear: it leaves the logits as they are."""

    base_model_prefix = "body"

    def __init__(self, contexts: Contexts) -> None:
        body = Body(contexts)
        width = body.n_tokens + WIDTH
        super().__init__(PretrainedConfig(hidden_size=width, vocab_size=body.n_tokens))
        self.body, self.head = body, nn.Linear(width, body.n_tokens, bias=False)
        self.head.weight = nn.Parameter(torch.eye(body.n_tokens, width), requires_grad=False)

    def get_output_embeddings(self) -> Any:
        return self.head

    def set_output_embeddings(self, head: Any) -> None:
        self.head = head

    def forward(self, input_ids: Tensor, **_: Any) -> Any:
        return SimpleNamespace(logits=self.head(self.body(input_ids).last_hidden_state))


@dataclass
class WordPolicy:
    """Draws one word for each context. A prompt's author is the number of its context."""

    model: Choice
    contexts: Contexts
    lang: str
    generator: torch.Generator = field(default_factory=torch.Generator)
    authors: tuple[str, ...] = ()
    precision: torch.dtype = torch.float32
    allow_identical_rhyme: bool = True

    def __post_init__(self) -> None:
        self.n_words = self.contexts.log_prior.shape[1]
        self.pad = self.n_words + len(self.contexts.states)
        barred = torch.ones(len(self.contexts.states), self.pad + 1, dtype=torch.bool)
        barred[:, : self.n_words] = self.contexts.log_prior.isinf()
        self.barred = barred
        self.end = self.pad - 1  # never drawn: a text is one word

    def log_p(self) -> Tensor:
        """Of every word in every context, ``(C, V)``, nats."""
        with torch.no_grad():
            every = torch.arange(len(self.contexts.states))[:, None] + self.n_words
            return self.model(every).logits[:, 0].masked_fill(self.barred, -torch.inf).log_softmax(1)[:, : self.n_words]

    def sample(self, prompts: Sequence[Prompt], n: int = 1, **_: Any) -> Rollout:
        rows = torch.tensor([int(str(prompt.author)) for prompt in prompts for _ in range(n)])
        drawn = torch.multinomial(self.log_p().exp()[rows], 1, generator=self.generator)
        return self._written([prompt for prompt in prompts for _ in range(n)], drawn[:, 0].tolist())

    def _written(self, prompts: Sequence[Prompt], words: Sequence[int]) -> Rollout:
        ids = torch.tensor([[self.n_words + int(str(p.author)), word] for p, word in zip(prompts, words, strict=True)])
        chosen = torch.tensor([[False, True]]).expand(ids.shape)
        ends = torch.ones(len(ids), 1, dtype=torch.long)
        texts = tuple(self.contexts.spelt[int(str(p.author))][word] for p, word in zip(prompts, words, strict=True))
        return Rollout(tuple(prompts), texts, ids, chosen, torch.ones(len(ids), dtype=torch.bool), ends, ends)

    def masked(self, rollout: Rollout) -> Rollout:
        own = rollout.ids[:, :1] - self.n_words
        return replace(rollout, token_masks=self.barred, mask_of=torch.cat([torch.zeros_like(own), own], 1))

    def log_prob(self, rollout: Rollout) -> Tensor:
        return self.score_tokens(rollout).log_p

    def score_tokens(self, rollout: Rollout) -> TokenScores:
        states = self.model.body(rollout.ids[:, :1]).last_hidden_state[:, 0]
        logits = self.model.head(states)
        if rollout.token_masks is not None and rollout.mask_of is not None:
            logits = logits.masked_fill(rollout.token_masks[rollout.mask_of[:, 1]], -1e9)
        log_all = logits.log_softmax(1)
        log_p = nn.functional.pad(log_all.gather(1, rollout.ids[:, 1:]), (1, 0))
        return TokenScores(log_p, states, -(log_all.exp() * log_all).sum(1))

    def reference(self) -> Self:
        return replace(self, model=copy.deepcopy(self.model).requires_grad_(False), generator=torch.Generator())

    # what trl's trainers ask of it

    @property
    def tokenizer(self) -> Any:
        from tokenizers import Tokenizer, models
        from transformers import PreTrainedTokenizerFast

        spelt = {f"w{i}": i for i in range(self.pad + 1)}
        return PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer(models.WordLevel(spelt, unk_token="w0")), pad_token=f"w{self.pad}", eos_token=f"w{self.end}"
        )

    def start_ids(self, prompt: Prompt) -> list[int]:
        return [self.n_words + int(str(prompt.author))]

    def continued(self, prompts: Sequence[Prompt], tokens: Sequence[Sequence[int]]) -> Rollout:
        return self._written(prompts, [row[0] for row in tokens])


@dataclass(frozen=True)
class Scored:
    total: tuple[float, ...]
    parts: Mapping[str, tuple[float, ...]]


class Rhymes:
    """The reward of a word in its context."""

    def __init__(self, contexts: Contexts) -> None:
        rows = zip(contexts.spelt, contexts.right.tolist(), strict=True)
        self.right = [{word for word, earns in zip(spelt, right, strict=False) if earns} for spelt, right in rows]

    def __call__(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> Scored:
        total = tuple(float(text in self.right[int(str(p.author))]) for p, text in zip(prompts, texts, strict=True))
        return Scored(total, {"rhyme": total})

    def by_part(self, prompt: Prompt, text: str) -> tuple[list[float], list[float]]:
        return list(self([prompt], [text]).total), [0.0]

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        return list(self([prompt], [text]).total)


# -- the trainers ---------------------------------------------------------------------------------------

TEXTBOOK = {"credit": "poem", "aux_rhyme_weight": 0.0}
# name: trainer, its options, what is tuned beside the rate
ARMS: Mapping[str, tuple[str, Mapping[str, Any], Sequence[Mapping[str, Any]]]] = {
    "TB (VarGrad)": ("tb", TEXTBOOK, ({}, {"clip": 1e9})),
    "TB, half replayed": ("tb", TEXTBOOK, ({"replay": 0.5}, {"replay": 1.0})),
    "TB, learned log Z": ("tb", {**TEXTBOOK, "log_z": "learned"}, ({}, {"clip": 1e9})),
    "TB, log Z of the prior (A*-PO)": ("tb", {**TEXTBOOK, "log_z": "prior"}, ({}, {"clip": 1e9})),
    "PPO": ("ppo", {"credit": "poem", "lam": 1.0}, ({"minibatches": 1}, {"epochs": 2})),
    "GRPO": ("grpo", {}, ({}, {"scale_rewards": "group"})),
    "RLOO": ("rloo", {}, ({}, {"clip": 1e9})),
    "RAFT": ("rft", {"same_end": 64}, ({"keep_share": 0.25}, {"keep_share": 0.5})),
    "maximum likelihood, exact samples": ("rft", {"keep": "target", "refresh_steps": 0}, ({}, {"clip": 1e9})),
}


def trained(contexts: Contexts, lang: str, algo: str, options: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """One run: the exact figures after some of its steps, and its seconds."""
    shared = {item.name for item in fields(StepOptions)}
    size = {"prompts_per_step": CONTEXTS_A_STEP, "group_size": WORDS}
    given = {**size, "beta": BETA, "beta_warmup": 0.0, "freeze_embeddings": False, **options}
    kind = trainer_class(algo)
    own = kind.OPTIONS(**{name: value for name, value in given.items() if name not in shared})
    common = StepOptions(**{name: value for name, value in given.items() if name in shared})
    kind.check(common, own)
    policy: Any = WordPolicy(Choice(contexts), contexts, lang, torch.Generator().manual_seed(seed))
    prompts = [Prompt(lang, "couplet", str(i)) for i in range(len(contexts.states))]
    run = kind(policy, Rhymes(contexts), prompts, common, own, seed=seed)
    began, found = time.process_time(), {}
    for step in range(1, STEPS + 1):
        run.step((step - 1) / STEPS)
        if step in TOLD:
            found[step] = exact(contexts, policy.log_p())
    return {"by_step": found, "seconds": round(time.process_time() - began, 1), "drawn": run.n_fresh}


def exact(contexts: Contexts, log_p: Tensor) -> dict[str, float]:
    """Means over the contexts."""
    p, log_target = log_p.exp(), contexts.log_target
    known = p > 0
    kl = torch.where(known, p * (log_p - log_target), 0.0).sum(1)
    of_right = torch.where(contexts.right, p, 0.0)
    share = of_right.sum(1)
    # of the words that n draws of the target hold in the mean, those that n draws of the policy hold
    target, n = log_target.exp(), 64
    held, wanted = (1 - (1 - of_right) ** n), torch.where(contexts.right, 1 - (1 - target) ** n, 0.0)
    from_prior = torch.where(known, p * (log_p - contexts.log_prior), 0.0).sum(1)
    return {
        "kl": kl.mean().item(), "right": share.mean().item(), "from_prior": from_prior.mean().item(),
        "coverage": (torch.minimum(held, wanted).sum() / wanted.sum()).item(),
    }  # fmt: skip


def best_of(contexts: Contexts, n: int) -> Tensor:
    """Log-probabilities of the first right one of ``n`` draws of the prior, of the last where none is, ``(C, V)``."""
    p = contexts.log_prior.exp()
    wrong = torch.where(contexts.right, 0.0, p).sum(1, keepdim=True)
    hit = (1 - wrong**n) / (1 - wrong).clamp_min(1e-12)
    return torch.where(contexts.right, p * hit, p * wrong ** (n - 1)).log()


def tuned(contexts: Contexts, lang: str, cells: Iterable[Mapping[str, Any]], algo: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The cell of a grid with the least KL at the end, on the seeds of tuning."""

    def kl(cell: Mapping[str, Any]) -> float:
        runs = [trained(contexts, lang, algo, {**options, **cell}, seed) for seed in TUNING]
        found = [run["by_step"][STEPS]["kl"] for run in runs]
        sys.stderr.write(f"{algo} {cell}: {np.mean(found):.4f}\n")
        return float(np.nan_to_num(np.mean(found), nan=np.inf))

    every = list(cells)
    return dict(every[int(np.argmin([kl(cell) for cell in every]))])


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--lang", default="es")
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    contexts = enumerated(args.lang, N_CONTEXTS, seed=0)
    before, aim = exact(contexts, contexts.log_prior), exact(contexts, contexts.log_target)
    sys.stderr.write(f"prior {before}; target {aim}\n")
    rows: list[list[Any]] = [["prior", None, *[round(before["kl"], 3)] * len(TOLD), *_shares(before), None]]
    for name in args.arms:
        algo, options, extra = ARMS[name]
        cell = tuned(contexts, args.lang, [{**more, "learning_rate": rate} for more in extra for rate in RATES], algo, options)
        runs = [trained(contexts, args.lang, algo, {**options, **cell}, seed) for seed in SEEDS]
        kls = [_told([run["by_step"][step]["kl"] for run in runs], 3) for step in TOLD]
        last = {key: float(np.mean([run["by_step"][STEPS][key] for run in runs])) for key in before}
        rows.append([name, _spelt(cell), *kls, *_shares(last), runs[0]["seconds"]])
        sys.stderr.write(f"{rows[-1]}\n")
    figures = exact(contexts, best_of(contexts, 4))
    rows.append(["best of 4, no training", None, *[None] * (len(TOLD) - 1), round(figures["kl"], 3), *_shares(figures), None])
    acceptance = (BETA * (contexts.right.float() - 1) + contexts.log_prior).exp().sum(1)
    rows.append(["exact rejection, no training", None, *[None] * (len(TOLD) - 1), 0.0, *_shares(aim), None])
    table = {
        "title": "The choice of a last word, exactly",
        "question": "Which trainer comes nearest to its target where the target is known?",
        "says": "", "limits": "",
        "command": "python -m experiments.studies.end_words", "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(), "seeds": list(SEEDS),
        "columns": [
            "trainer", "tuned", *[f"KL after {step * CONTEXTS_A_STEP * WORDS:,} words" for step in TOLD], "right", "from the prior, nats",
            "coverage", "seconds",
        ],
        "rows": rows,
        "notes": [
            f"{N_CONTEXTS} contexts of quatrains, some {np.mean([len(words) for words in contexts.spelt]):.0f} words each, beta {BETA:g}.",
            f"Exact rejection keeps {100 * acceptance.mean():.0f} % of the prior's words.",
            "Coverage: of the words that 64 draws of the target hold in the mean, the share that 64 draws of the policy hold.",
        ],
    }  # fmt: skip
    path = RESULTS / "end_words.json"
    said = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}  # sentences are written by hand, and checked again
    table |= {key: said.get(key, "") for key in ("says", "limits")}
    path.write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


def _told(values: Sequence[float], digits: int) -> dict[str, Any]:
    return {"mean": round(float(np.mean(values)), digits), "seeds": [round(value, digits) for value in values]}


def _shares(figures: Mapping[str, float]) -> list[float]:
    return [round(figures["right"], 3), round(figures["from_prior"], 2), round(figures["coverage"], 3)]


def _spelt(cell: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {'none' if value == 1e9 else value}" for name, value in cell.items())


if __name__ == "__main__":
    sys.exit(main())
