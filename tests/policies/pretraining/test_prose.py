"""Prose as verse: phrases as long as lines that lose no word and end in none that leans on the next; pretraining reads them."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.pretraining.prose import LONGEST, SHORTEST, as_verse, enough, phrases
from rlpoet.analysis.lexicon.which import function_words
from rlpoet.checkpoints.files import read_checkpoint
from rlpoet.cli.main import main
from rlpoet.corpus.prose import Passage, read_prose
from rlpoet.errors import RlpoetError
from rlpoet.prosody import verse
from rlpoet.text import canonical

TEXTS = {
    "fr": "Il ouvrit la porte, puis il regarda longtemps la rue où personne ne passait. La nuit tombait sur les toits de la ville, et le "
    "vent du nord apportait l'odeur de la mer. Rien ne bougeait encore dans le jardin de sa mère.",
    "es": "Abrió la puerta y miró largo rato la calle por donde no pasaba nadie. La noche caía sobre los tejados de la ciudad, y el viento "
    "del norte traía el olor del mar. Nada se movía todavía en el jardín de su madre.",
    "en": "He opened the door, and then he looked for a long time at the street where nobody passed. The night fell upon the roofs of the "
    "town, and a wind from the north brought the smell of the sea. Nothing was moving yet in his mother's garden.",
}


@pytest.mark.parametrize("lang", TEXTS)
@pytest.mark.parametrize("length", [8, 10, 12])
def test_phrases_have_the_length_of_lines_and_end_where_a_reader_may_pause(lang, length):
    found = phrases(TEXTS[lang], lang, length=length)
    counts = [verse(lang).scan(phrase).syllables for phrase in found[:-1]]
    assert " ".join(found) == canonical(TEXTS[lang], lang)
    assert all(SHORTEST - 1 <= n <= LONGEST + 1 for n in counts)
    assert abs(sum(counts) / len(counts) - length) <= 2
    assert not [phrase for phrase in found if phrase.split()[-1].lower() in function_words(lang)]


def test_a_cut_is_cheapest_at_a_stop():
    assert phrases("Le soir tombe enfin. Nous rentrons à la maison.", "fr", length=8) == [
        "Le soir tombe enfin.",
        "Nous rentrons à la maison.",
    ]


@pytest.mark.parametrize("lang", TEXTS)
@settings(max_examples=40)
@given(text=st.text(st.sampled_from("aeéo bdlrs'’,.!?—\n\"1"), max_size=120))
def test_no_word_of_any_text_is_lost(lang, text):
    assert " ".join(phrases(text, lang)) == " ".join(canonical(text, lang).split())


def test_the_same_text_is_cut_alike_whatever_was_cut_before():
    passage = Passage((TEXTS["fr"], TEXTS["fr"]), "Nadie")
    first = as_verse(passage, "fr", seed=3)
    phrases("Une amie a osé aller à Arles.", "fr")
    assert as_verse(passage, "fr", seed=3) == first and first.author == "Nadie" and first.rhymed == 0.0
    assert as_verse(passage, "fr", seed=4) != first
    assert all(line[0] == line[0].upper() for line in first.lines) and {len(stanza) for stanza in first.stanzas[:-1]} == {4}


def test_as_much_is_taken_as_is_wanted():
    passages = [Passage((f"{n} fois. {TEXTS['fr']}",)) for n in range(9)]
    counts = []
    some = enough(passages, "fr", n_characters=400, seed=0, tick=counts.append)
    assert len(some) == 2 and counts[0] < 400 <= counts[1]
    assert len(enough(passages, "fr", n_characters=1e9, seed=0, tick=counts.append)) == 9


def test_prose_is_read_from_rows_and_from_text(tmp_path):
    rows = [{"author": "A", "paragraphs": ["Un  mot.", "", "Deux\nmots."]}, {"text": "Trois.\n\nQuatre."}]
    packed, plain = tmp_path / "p.jsonl.gz", tmp_path / "p.txt"
    with gzip.open(packed, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    plain.write_text("Un\nmot.\n\n\nDeux.\n", encoding="utf-8")
    assert list(read_prose([packed, plain])) == [
        Passage(("Un mot.", "Deux mots."), "A"),
        Passage(("Trois.", "Quatre.")),
        Passage(("Un mot.", "Deux.")),
    ]


@pytest.mark.parametrize("row", ['{"stanzas": [["a"]]}', '{"paragraphs": 5}', '{"paragraphs": [1]}', "[]", "x"])
def test_what_is_no_prose_is_one_line(row, tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text('{"text": "Un mot."}\n' + row + "\n", encoding="utf-8")
    with pytest.raises(RlpoetError, match=r"p\.jsonl:2: ") as told:
        list(read_prose([path]))
    assert "\n" not in str(told.value)


POEMS = [{"author": "Nadie", "stanzas": [["la noche del amor", f"la {a} de la flor", "un canto de dolor", f"el {b} del albor"]]} for a in
         ("voz", "luz", "cruz", "paz", "faz", "red") for b in ("sol", "mar", "son", "fin", "don")]  # fmt: skip


@pytest.mark.slow
def test_pretraining_reads_prose_beside_verse_and_goes_on(tmp_path, capsys):
    (tmp_path / "v.jsonl").write_text("\n".join(json.dumps(row) for row in POEMS), encoding="utf-8")
    prose = [{"author": "Otro", "paragraphs": [f"{TEXTS['es']} {n}"]} for n in range(40)]
    (tmp_path / "p.jsonl").write_text("\n".join(json.dumps(row) for row in prose), encoding="utf-8")
    flags = "--lang es --size nano --vocab_size 200 --batch_tokens 256 --window 128 --eval_samples 1 --threads 1 --device cpu".split()
    argv = ["pretrain", *flags, "--data", str(tmp_path / "v.jsonl"), "--prose", str(tmp_path / "p.jsonl"), "--prose_share", "0.5"]
    assert main([*argv, "--max_steps", "2", "--output_dir", str(tmp_path / "run")]) == 0
    told = capsys.readouterr().err
    assert "passages of prose" in told and "there is no more" not in told
    card = (tmp_path / "run" / "README.md").read_text(encoding="utf-8")
    assert "v.jsonl; prose: p.jsonl" in card and "--prose p.jsonl --prose_share 0.5" in card
    with gzip.open(tmp_path / "run" / "prose.jsonl.gz", "rt", encoding="utf-8") as file:
        assert "Otro" in file.read()
    assert main(["pretrain", "--resume", str(tmp_path / "run"), "--max_steps", "3"]) == 0
    assert read_checkpoint(tmp_path / "run" / "checkpoint.pt")["step"] == 3


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--prose_share", "1.0"], "--prose_share: 1.0"),
        (["--device", "cuda:99"], "--device cuda:99"),
        (["--device", "cpu"], "y.jsonl: cannot be read"),
    ],
)
def test_pretraining_refuses_a_share_a_device_and_prose_that_cannot_be(flags, message, tmp_path, capsys):
    argv = [
        "pretrain",
        "--lang",
        "es",
        "--data",
        "x.jsonl",
        "--prose",
        "y.jsonl",
        "--max_steps",
        "1",
        "--output_dir",
        str(tmp_path / "run"),
    ]
    assert main([*argv, *flags]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "run").exists()
