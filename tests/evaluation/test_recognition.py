"""What ``rlpoet score`` hears in poems by people: the scheme over the whole poem, its form, and that no guess is held against it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from rlpoet.analysis.lexicon.which import likelier_language
from rlpoet.evaluation.recognition import recognize
from rlpoet.evaluation.score import score_text
from rlpoet.prosody.forms import form
from rlpoet.prosody.meter import in_meter
from rlpoet.prosody.rhyme import find_poem_scheme, rhyme_kind
from rlpoet.text import split_poem, stanzas

GOLDEN = sorted((Path(__file__).resolve().parents[1] / "golden" / "poems").rglob("*.txt"))
OWN = "-"  # a scheme that the table lacks


def golden(path: Path) -> tuple[dict[str, str], str]:
    rows = path.read_text(encoding="utf-8").splitlines()
    head = dict(row[2:].split(": ", 1) for row in rows if row.startswith("% "))
    return head, "\n".join(row for row in rows if not row.startswith("%")).strip()


def lengths(head: dict[str, str], n_lines: int) -> list[tuple[int, ...]]:
    cells = [tuple(map(int, cell.split("|"))) for cell in head["counts"].split()]
    assert n_lines % len(cells) == 0
    return cells * (n_lines // len(cells))


def stands(lang: str, name: str) -> str:
    return golden(next(path for path in GOLDEN if path.parent.name == lang and path.stem == name))[1]


def test_thirty_poems_each_with_its_source():
    assert len(GOLDEN) == 30 and {path.parent.name for path in GOLDEN} == {"fr", "es", "en"}
    for path in GOLDEN:
        head, text = golden(path)
        assert all(head[key] for key in ("author", "title", "year", "source", "form", "scheme", "counts"))
        assert [len(block) for block in stanzas(text)] == [len(part) for part in head["scheme"].split()] or " " not in head["scheme"]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_poems_of_the_canon_are_heard_as_scholars_hear_them(path):
    head, text = golden(path)
    lang = path.parent.name
    (poem,) = score_text(text, lang)
    assert poem.found == head["scheme"].replace(" ", "")
    assert poem.guessed and poem.form is not None and (poem.form == head["form"] or (head["form"] == OWN and "/" in poem.form))
    assert poem.scores.get("rhyme") in (1.0, None)  # no guess is held against it
    misread = set(map(int, head.get("misread", "").split()))
    for number, (line, cell) in enumerate(zip(poem.lines, lengths(head, len(poem.lines)), strict=True), start=1):
        assert number in misread or in_meter(line, lang, cell), line
    assert poem.scores["meter"] == 1.0 or misread
    assert likelier_language(poem.lines, lang) is None
    assert sum(poem.stanzas) == len(poem.lines) and len(poem.stanzas) == len(stanzas(text))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_poem_without_its_blank_lines_is_heard_alike(path):
    head, text = golden(path)
    _, found = recognize([split_poem(text)], path.parent.name)
    assert found == head["scheme"].replace(" ", "")


@pytest.mark.parametrize(
    "lang, name", [("fr", "villanelle"), ("en", "when-first-we-met"), ("fr", "le-temps-a-laisse"), ("en", "in-flanders-fields")]
)
def test_a_poem_that_loses_its_refrain_is_no_longer_of_the_form(lang, name):
    text = stands(lang, name)
    whole = score_text(text, lang)[0]
    lines, repeats = list(whole.lines), form(str(whole.form), lang).repeats
    last = max(repeat.line for repeat in repeats)
    lines[last] = next(line for n, line in enumerate(lines) if not any(n in repeat[:2] for repeat in repeats))
    (poem,) = score_text("\n".join(lines), lang)
    assert poem.form != whole.form
    (asked,) = score_text("\n".join(lines), lang, whole.form)
    assert whole.scores["rhyme"] == 1.0 > asked.scores["rhyme"]
    assert any("does not repeat" in reason for reason in asked.reasons[last])


def test_a_stanza_of_the_rubaiyat_is_not_punished():
    stanza = (
        "The Moving Finger writes; and, having writ,\nMoves on: nor all thy Piety nor Wit\n"
        "Shall lure it back to cancel half a Line,\nNor all thy Tears wash out a Word of it."
    )
    for asked in (None, "aaba/", "aaba/10|11", "rubaiyat"):
        (poem,) = score_text(stanza, "en", asked)
        assert (poem.found, poem.asked, poem.scores["rhyme"]) == ("aaxa", "aaxa", 1.0)
        assert poem.guessed == (asked is None)
    (wrong,) = score_text(stanza, "en", "quatrain-abab")
    assert wrong.scores["rhyme"] == 0.0  # what was asked for is held against it


SIBLINGS = [  # language, poem, form, scheme
    (
        "en",
        "I hold it true, whate'er befall;\n"
        "I feel it, when I sorrow most;\n"
        "'Tis better to have loved and lost\n"
        "Than never to have loved at all.",
        "quatrain-abba-8",
        "abba",
    ),
    (
        "en",
        "True ease in writing comes from art, not chance,\n"
        "As those move easiest who have learned to dance.\n"
        "'Tis not enough no harshness gives offence,\n"
        "The sound must seem an echo to the sense:",
        "quatrain-aabb",
        "aabb",
    ),
    (
        "en",
        "Had we but world enough, and time,\n"
        "This coyness, lady, were no crime.\n"
        "We would sit down and think which way\n"
        "To walk, and pass our long love's day.",
        "quatrain-aabb-8",
        "aabb",
    ),
    (
        "en",
        "The lamp in the barn,\na moth goes round and round it:\nthe first snow of March.",
        "haiku",
        None,
    ),
    (
        "es",
        "La niña que en la fuente\nllenaba el jarro,\npor mirar a su amante\nlo ha derramado.",
        "seguidilla",
        "xaxa",
    ),
    (
        "es",
        "Recuerde el alma dormida,\n"
        "avive el seso y despierte\n"
        "contemplando\n"
        "cómo se pasa la vida,\n"
        "cómo se viene la muerte\n"
        "tan callando;\n"
        "\n"
        "cuán presto se va el placer,\n"
        "cómo, después de acordado,\n"
        "da dolor;\n"
        "cómo, a nuestro parecer,\n"
        "cualquiera tiempo pasado\n"
        "fue mejor.",
        "copla-manriqueña*2",
        "abcabcdefdef",
    ),
    (
        "es",
        "¡Oh más dura que mármol a mis quejas,\ny al encendido fuego en que me quemo\nmás helada que nieve, Galatea!",
        None,
        "xxx",
    ),
    (
        "fr",
        "Je suis comme le roi d'un pays pluvieux,\n"
        "Riche, mais impuissant, jeune et pourtant très vieux,\n"
        "Qui, de ses précepteurs méprisant les courbettes,\n"
        "S'ennuie avec ses chiens comme avec d'autres bêtes.",
        "quatrain-aabb",
        "aabb",
    ),
    (
        "fr",
        "Mignonne, allons voir si la rose\n"
        "Qui ce matin avait déclose\n"
        "Sa robe de pourpre au soleil,\n"
        "A point perdu cette vesprée\n"
        "Les plis de sa robe pourprée,\n"
        "Et son teint au vôtre pareil.",
        "sizain-8",
        "aabccb",
    ),
]


@pytest.mark.parametrize("lang, text, name, scheme", SIBLINGS, ids=[own[1][:16] for own in SIBLINGS])
def test_stanzas_by_people_keep_the_form_that_handbooks_name(lang, text, name, scheme):
    poem_form, found = recognize(stanzas(text), lang)
    assert (poem_form.name if poem_form else None) == name and found == (scheme or found)
    (poem,) = score_text(text, lang)
    assert poem.scores.get("rhyme") in (1.0, None)


TERZA_RIMA = (
    "The light is on the hill,\nAnd in the east the day;\nThe little wind is still.\n\n"
    "A bird has come to say\nThat all the night is done,\nAnd we are on the way.\n\n"
    "The road is in the sun."
)


def test_terza_rima_is_heard_across_its_stanzas():
    assert recognize(stanzas(TERZA_RIMA), "en")[1] == "ababcbc"
    (asked,) = score_text(TERZA_RIMA, "en", "terza-rima")
    assert (asked.form, asked.asked, asked.scores["rhyme"]) == ("terza-rima", "aba bcb c", 1.0)
    shorter = TERZA_RIMA.rsplit("\n\n", 2)[0] + "\n\nA bird has come to stay."
    assert score_text(shorter, "en", "terza-rima")[0].asked == "aba b"
    odd = TERZA_RIMA + "\nIt is day."
    (wrong,) = score_text(odd, "en", "terza-rima")
    assert wrong.scores["rhyme"] == 0.0 and "8 lines, terza-rima has 7" in wrong.reasons[0][-1]


@pytest.mark.parametrize("scheme", ["aba bcb c", "ababcbc", "xbx bcb c"])
def test_a_scheme_of_ones_own_with_or_without_stanzas(scheme):
    (poem,) = score_text(TERZA_RIMA, "en", f"{scheme}/6")
    assert poem.scores["meter"] == 1.0 and len(poem.lines) == 7
    assert poem.scores["rhyme"] == 1.0 if "x" not in scheme else poem.scores["rhyme"] > 0


def test_a_ghazal_rhymes_before_its_refrain():
    ghazal = (
        "The moon has left the river in the night,\nAnd leaves are all a-quiver in the night.\n\n"
        "I had a house of cedar by the sea,\nMy love was its forgiver in the night.\n\n"
        "The stars are bread for beggars and for kings,\nAnd God is still the giver in the night.\n"
    )
    poem_form, found = recognize(stanzas(ghazal), "en")
    assert poem_form is not None and poem_form.name == "ghazal:6" and found == "aaxaxa"
    (poem,) = score_text(ghazal, "en")
    assert poem.scores["rhyme"] == 1.0
    assert recognize(stanzas(ghazal.replace("giver in", "keeper in")), "en")[0] != poem_form


def test_unrhymed_pentameters_are_blank_verse_and_prose_is_nothing():
    blank = "\n".join(
        [
            "Of Man's first disobedience, and the fruit",
            "Of that forbidden tree whose mortal taste",
            "Brought death into the World, and all our woe,",
            "With loss of Eden, till one greater Man",
            "Restore us, and regain the blissful seat",
        ]
    )
    (poem,) = score_text(blank, "en")
    assert (poem.form, poem.found, poem.scores["rhyme"], poem.scores["meter"]) == ("blank-verse:5", "xxxxx", None, 1.0)
    assert recognize([["it was late", "and nobody had come to the station that evening", "so we left"]], "en")[0] is None


def test_rhyme_is_heard_over_six_lines_and_a_repeated_line_over_any():
    between = ["a house", "a cup", "a door", "a lamp", "a branch", "a glass"]
    for n in range(7):
        heard = find_poem_scheme(["the night", *between[:n], "the light"], "en")
        assert (heard[0] == heard[-1] == "a") == (n < 6)
    again = ["Under the tree", *(between * 2), "under the tree!"]
    assert find_poem_scheme(again, "en")[0] == find_poem_scheme(again, "en")[-1] != "x"


def test_a_kind_that_only_poets_use_binds_what_no_full_rhyme_answers():
    assert rhyme_kind("a love", "I prove", "en") == "eye"
    assert find_poem_scheme(["a love", "the way", "I prove", "a day"], "en") == "abab"
    assert find_poem_scheme(["a love", "above", "I prove", "a day"], "en") == "aaax"  # and joins those that are answered
    assert find_poem_scheme(["a love", "above", "I prove", "they move"], "en") == "aabb"


def test_names_of_peoples_poems_cost_nothing_unless_known_words_are_asked_for():
    text = "We sailed to far Zorvannia's golden bay,\nAnd Queen Morlindra met us on the way."
    (poem,) = score_text(text, "en")
    (strict,) = score_text(text, "en", known_only=True)
    assert poem.scores["lexicon"] == 1.0 > strict.scores["lexicon"]
    guess = "We sailed all night until we saw Zorvay,\nAnd Queen Morlindra met us on the way."
    assert score_text(guess, "en", "couplet")[0].scores["rhyme"] == 1.0
    assert score_text(guess, "en", "couplet", known_only=True)[0].scores["rhyme"] == 0.0
    labelled = "# en couplet, temperature 1, seed 3\n" + guess
    assert score_text(labelled, "en")[0].scores["rhyme"] == 0.0  # as it is held in training


def test_long_and_short_lines_in_turn_are_heard_in_one_stanza():
    lac = ["Ô temps ! suspends ton vol, et vous, heures propices !", "Suspendez votre cours :",
           "Laissez-nous savourer les rapides délices", "Des plus beaux de nos jours !"]  # fmt: skip
    found, heard = recognize([lac], "fr")
    assert found is not None and heard == "abab" and found.meters == ((12,), (6,), (12,), (6,))
    crooked, _ = recognize([[*lac[:3], "De nos jours les plus beaux et doux !"]], "fr")  # the short lines have two lengths
    assert crooked is None or crooked.meters != found.meters
    assert score_text("\n".join(lac), "fr")[0].scores["meter"] == 1.0


OCTAVE = (
    "Quand vous serez bien vieille, au soir, à la chandelle,\nAssise auprès du feu, dévidant et filant,\n"
    "Direz, chantant mes vers, en vous émerveillant :\nRonsard me célébrait du temps que j'étais belle.\n\n"
    "Lors, vous n'aurez servante oyant telle nouvelle,\nDéjà sous le labeur à demi sommeillant,\n"
    "Qui au bruit de mon nom ne s'aille réveillant,\nBénissant votre nom de louange immortelle."
)
ENDS = {  # two syllables each
    "a": ["la rose", "la chose", "il pose", "on ose"],
    "b": ["l'amour", "le jour", "la tour", "détour"],
    "c": ["la porte", "est morte", "l'emporte", "escorte"],
    "d": ["la nuit", "le bruit", "s'enfuit", "produit"],
    "e": ["la flamme", "la femme", "son âme", "la dame"],
}


def octosyllables(scheme: str) -> str:
    """Stanzas of eight syllables with these rhymes."""
    ends = {letter: iter(own) for letter, own in ENDS.items()}
    return "\n\n".join("\n".join(f"Je vois encore, amis, {next(ends[letter])}" for letter in stanza) for stanza in scheme.split())


def test_the_octave_of_two_rhymes_is_one_form_and_alternates():
    (poem,) = score_text(OCTAVE, "fr")
    assert (poem.form, poem.asked, poem.found) == ("abba abba/12", "abba abba", "abbaabba")
    assert poem.scores["alternation"] == 1.0 == poem.scores["rhyme"]


def test_quatrains_with_rhymes_of_their_own_stay_quatrains_and_alternate_over_the_break():
    first = "Quand vous serez bien vieille, au soir, à la chandelle,\nAssise auprès du feu, dévidant et filant,\n"
    first += "Direz, chantant mes vers, en vous émerveillant :\nRonsard me célébrait du temps que j'étais belle.\n\n"
    second = "Comme de longs échos qui de loin se confondent\nDans une ténébreuse et profonde unité,\n"
    second += "Vaste comme la nuit et comme la clarté,\nLes parfums, les couleurs et les sons se répondent."
    (poem,) = score_text(first + second, "fr")
    assert (poem.form, poem.asked) == ("quatrain-abba*2", "abba cddc")
    assert poem.scores["alternation"] == pytest.approx(4 / 5)  # belle / confondent: two feminine rhymes
    assert any("feminine, after feminine" in reason for reason in poem.reasons[4])


@pytest.mark.parametrize(
    "scheme, name, alternation",
    [
        ("abba abba", "abba abba/8", 1.0),
        ("abab abab", "abab abab/8", 1.0),
        ("aabb aabb", "aabb aabb/8", 1.0),
        ("abab abab cdcd", "abab abab cdcd/8", 1.0),  # at half of the breaks
        ("abba cddc", "quatrain-abba-8*2", 0.8),  # a and c are feminine both, and touch
        ("abba dccd", "quatrain-abba-8*2", 1.0),
        ("abab cdcd", "quatrain-abab-8*2", 1.0),
        ("abba adda", "quatrain-abba-8*2", 1.0),  # one rhyme may come again by chance, and goes on over the break
        ("aa aa", "couplet-8*2", 1.0),
        ("aa cc", "couplet-8*2", 0.0),
        ("aa bb cc", "couplet-8*3", 1.0),
        ("aba bcb cdc d", "aba bcb cdc d/8", 1.0),
    ],
)
def test_stanzas_that_keep_all_rhymes_of_the_one_before_are_one_form(scheme, name, alternation):
    (poem,) = score_text(octosyllables(scheme), "fr")
    assert poem.form == name
    assert poem.scores["alternation"] == pytest.approx(alternation)


def test_a_poem_in_stanzas_is_one_poem_and_headings_part_poems():
    couplet = "Ici gît dans la nuit sombre\nUn poète sans nul nombre"
    assert len(score_text(f"{couplet}\n\n{couplet}", "fr")) == 1
    assert len(score_text(f"# un\n{couplet}\n\n# deux\n{couplet}", "fr")) == 2
    assert len(score_text(f"{couplet}\n\n{couplet}", "fr", "couplet")) == 2


# -- which language -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_poem_read_in_another_language_is_noticed(path):
    lines = split_poem(golden(path)[1])
    for lang in {"fr", "es", "en"} - {path.parent.name}:
        assert likelier_language(lines, lang) == path.parent.name


def test_nothing_is_said_of_few_words_or_of_a_language_without_a_list():
    assert likelier_language(["Shall I compare"], "fr") is None
    assert likelier_language(["Shall I compare thee to a summer's day?"], "experiments/languages/it") is None
    words = [word for path in GOLDEN for word in golden(path)[1].split()]
    assert likelier_language([" ".join(random.Random(1).sample(words, 60))], "fr") is None  # a mixture
