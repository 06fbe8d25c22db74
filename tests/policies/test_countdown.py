"""A line that says how many syllables are left says the truth, and is read back as if it had said nothing."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from tiny_policy import BAUDELAIRE, VERLAINE, tiny_policy

from policies.causal_lm import CausalPolicy
from policies.decoding.first_words import fit_of_words
from policies.formats.verse import VerseFormat, lengths_of
from policies.pretraining.config import PretrainConfig
from policies.pretraining.run import pretrain_run
from rlpoet.prosody import verse
from rlpoet.prosody.countdown import syllables_before
from rlpoet.text import canonical
from rlpoet.types import Prompt

COUNT = re.compile(r"<[|](\d+)[|]>")
LINES = {
    "fr": ("Souvent, pour s'amuser, les hommes d'équipage", "Ô temps, suspends ton vol ! et vous, heures propices", "Voilà « l'ombre »"),
    "es": ("Polvo serán, mas polvo enamorado", "En tanto que de rosa y azucena", "Cerrar podrá mis ojos la postrera"),
    "en": ("Shall I compare thee to a summer's day?", "And every fair from fair sometime declines"),
}


@pytest.mark.parametrize(
    ("lang", "line", "target", "written"),
    [
        # Lamartine: Ô temps, sus-pends ton vol ! et vous, heu-res pro-pi-ces
        ("fr", LINES["fr"][1], 12, "propices<|10|> heures<|8|> vous, et<|6|> vol! ton<|4|> suspends<|2|> temps, Ô"),
        # Quevedo: pol-vo_e-na-mo-ra-do; the joined syllable is the later word's
        ("es", LINES["es"][0], 11, "enamorado<|6|> polvo mas<|4|> serán,<|2|> Polvo"),
        ("en", LINES["en"][0], 10, "day? summer's<|7|> a to<|5|> thee compare<|2|> I Shall"),
    ],
)
def test_counts_are_those_of_a_scansion_done_by_hand(lang: str, line: str, target: int, written: str) -> None:
    assert VerseFormat(lang, plans=False, countdown=2).write_line(line, "", target) == written


@pytest.mark.parametrize("lang", LINES)
@pytest.mark.parametrize("order", ["backward", "forward"])
@pytest.mark.parametrize("countdown", [1, 2, 3, 5])
def test_counts_fall_by_at_least_the_step_and_leave_no_trace(lang: str, order: str, countdown: int) -> None:
    counting = VerseFormat(lang, order=order, plans=False, countdown=countdown)
    for line in LINES[lang]:
        written = counting.write_line(line, "")
        counts = [verse(lang).scan(canonical(line, lang)).syllables + 1, *map(int, COUNT.findall(written))]
        assert all(earlier - later >= countdown for earlier, later in itertools.pairwise(counts[1:]))
        assert all(0 < later < earlier for earlier, later in itertools.pairwise(counts))
        assert COUNT.sub("", written) == VerseFormat(lang, order=order, plans=False).write_line(line, "")
        assert counting.read_line(COUNT.sub("", written)) == canonical(line, lang)


@pytest.mark.parametrize("lang", LINES)
def test_nothing_stands_before_a_line_and_every_syllable_before_its_end(lang: str) -> None:
    for line in (canonical(each, lang) for each in LINES[lang]):
        start, end = syllables_before(line, lang, [0, len(line)])
        assert (start, end) == (0, sum(unit.counts for unit in verse(lang).scan(line).units))


def test_lines_of_a_mixed_strophe_have_their_own_lengths() -> None:
    assert lengths_of("12.6", 2) == [12, 6]
    assert lengths_of("12.6", 3) == [12, 12, 12]


def test_a_drawn_poem_never_ends_a_line_on_a_count_and_shows_none() -> None:
    policy = tiny_policy(countdown=2)
    rollout = policy.sample([Prompt("fr", "quatrain-abab"), Prompt("fr", "couplet")], 6)
    counts = set(policy.tokenizer.convert_tokens_to_ids(policy.format.counts))
    assert any(token in counts for token in rollout.ids.flatten().tolist())
    for row, text in enumerate(rollout.texts):
        assert not any(int(rollout.ids[row, end]) in counts for end in rollout.line_ends[row].tolist() if end >= 0)
        assert "<|" not in text


def test_a_written_poem_is_read_back_and_its_counts_weigh() -> None:
    policy = tiny_policy(countdown=2)
    prompt = Prompt("fr", "quatrain-abab", opening=(BAUDELAIRE[0],))
    rollout = policy.write([prompt], ["\n".join(BAUDELAIRE)])
    assert rollout.texts == ("\n".join(BAUDELAIRE),)
    n_counts = sum(int(token) in set(policy.tokenizer.convert_tokens_to_ids(policy.format.counts)) for token in rollout.ids[0])
    assert n_counts > 8  # three lines of twelve and the opening, a count every word or two
    assert (policy.log_prob(rollout)[rollout.chosen] < 0).all()


def test_first_words_are_weighed_with_the_counts_among_them() -> None:
    policy = tiny_policy(countdown=2)
    line, prompt = BAUDELAIRE[0], Prompt("fr", "quatrain-abab")
    found = fit_of_words(policy, prompt, "Souvent, pour", [line])
    rollout = policy.write([prompt], [f"{line}\n{line}"])
    tokens = policy.tokenizer.convert_ids_to_tokens(rollout.ids[0].tolist())
    end = int(rollout.line_ends[0, 0])
    log_p = policy.log_prob(rollout)[0].detach()
    start = max(i for i, token in enumerate(tokens[:end]) if token.startswith("▁p"))  # "pour", then "Souvent,", and a count between
    assert float(found) == pytest.approx(float(log_p[start : end + 2].sum()), abs=1e-4)


def test_a_policy_learns_to_count_when_it_goes_on(tmp_path: Path) -> None:
    plain = tiny_policy()
    plain.save(str(tmp_path / "plain"))
    poems = tmp_path / "poems.txt"
    poems.write_text("\n\n\n".join(["\n".join(BAUDELAIRE), "\n".join(VERLAINE)] * 3), encoding="utf-8")
    config = PretrainConfig(
        lang="fr", data=(str(poems),), output_dir=str(tmp_path / "counting"), start=str(tmp_path / "plain"), countdown=2, max_steps=2,
        batch_tokens=64, window=64, eval_samples=1, threads=1, compile=False, validation=0.0, save_steps=5,
    )  # fmt: skip
    assert pretrain_run(config) == 0
    found = CausalPolicy.load(tmp_path / "counting")
    assert found.format.countdown == 2
    assert len(found.tokenizer) == len(plain.tokenizer) + len(found.format.counts)
    assert found.tokenizer.unk_token_id not in found.tokenizer.convert_tokens_to_ids(found.format.counts)
    assert "<|" not in found.sample([Prompt("fr", "couplet")]).texts[0]
