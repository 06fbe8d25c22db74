"""Spanish assonance: the poems it binds, in any number of lines, strict and loose; and lengths that the tradition prefers."""

from __future__ import annotations

import pytest

from rlpoet.phonology.es import tables as es_tables
from rlpoet.prosody import verse
from rlpoet.prosody.es.readings import rhythm
from rlpoet.prosody.es.rhyme import assonance, strict_assonance
from rlpoet.prosody.rhyme import find_scheme, rhyme_kind

EAR = verse("es")

BECQUER = "Volverán las oscuras golondrinas|en tu balcón sus nidos a colgar,|y otra vez con el ala a sus cristales|jugando llamarán."
ARPA = (
    "Del salón en el ángulo oscuro,|de su dueña tal vez olvidada,|silenciosa y cubierta de polvo,|veíase el arpa.||"
    "¡Cuánta nota dormía en sus cuerdas,|como el pájaro duerme en las ramas,|esperando la mano de nieve|que sabe arrancarlas!"
)
POESIA = "¿Qué es poesía? dices mientras clavas|en mi pupila tu pupila azul.|¿Qué es poesía? ¿Y tú me lo preguntas?|Poesía... eres tú."
CIELO = "Por una mirada, un mundo;|por una sonrisa, un cielo;|por un beso... ¡yo no sé|qué te diera por un beso!"
COPLA = "Ni contigo ni sin ti|tienen mis penas remedio:|contigo, porque me matas,|y sin ti, porque me muero."
MOLINO = "Junto al río de mi pueblo|hay un molino parado,|que muele penas de noche|y de día está cantando."
JAZMIN = "Tengo una pena en el alma|que no la puedo decir,|porque si acaso la cuento|se va a enterar el jazmín."
SOLEA = "Cuando yo más te quería|te fuiste para otras tierras|y me quedé sin la vida"
SEGUIDILLA = "No me mires, que miran|que nos miramos;|miremos la manera|de no mirarnos."
BORDON = (
    "Ya se murió mi burro|que acarreaba|la vinagre del pueblo|por la mañana.|Ya se ha acabado|que en las cuestas arriba|le daba el palo."
)
JINETE = "Córdoba.|Lejana y sola.||Jaca negra, luna grande,|y aceitunas en mi alforja.|Aunque sepa los caminos|yo nunca llegaré a Córdoba."
LUNA = (
    "La luna vino a la fragua|con su polisón de nardos.|El niño la mira mira.|El niño la está mirando.|En el aire conmovido|"
    "mueve la luna sus brazos|y enseña, lúbrica y pura,|sus senos de duro estaño."
)
VERDE = "Verde que te quiero verde.|Verde viento. Verdes ramas.|El barco sobre la mar|y el caballo en la montaña."
ROMANCILLO = "La más bella niña|de nuestro lugar,|hoy viuda y sola|y ayer por casar,|viendo que sus ojos|a la guerra van"


@pytest.mark.parametrize(
    ("poem", "scheme"),
    [
        (BECQUER, "xaxa"),
        (ARPA, "xaxaxxaxa"),
        (POESIA, "xaxa"),
        (CIELO, "xaxa"),
        (COPLA, "xaxa"),
        (MOLINO, "xaxa"),
        (SEGUIDILLA, "xaxa"),
        (SOLEA, "axa"),
        (BORDON, "xaxabxb"),
        (LUNA, "xaxaxaxa"),
        (VERDE, "xaxa"),
        (ROMANCILLO, "xaxaxa"),
        (f"{MOLINO}|{JAZMIN}", "xaxaxbxb"),  # no blank line between the stanzas
        (f"{MOLINO}||{JAZMIN}", "xaxaxxbxb"),
    ],
)
def test_assonance_binds_short_stanzas(poem, scheme):
    assert find_scheme(poem.split("|"), "es") == scheme


def test_an_assonance_runs_over_the_couplet_and_the_stanzas_of_a_song():
    assert [letter for letter, line in zip(find_scheme(JINETE.split("|"), "es"), JINETE.split("|"), strict=True) if line] == list("aaxaxa")


@pytest.mark.parametrize(
    ("poem", "scheme"),
    [
        ("Hombres necios que acusáis|a la mujer sin razón,|sin ver que sois la ocasión|de lo mismo que culpáis", "abba"),
        ("Anoche cuando dormía|soñé ¡bendita ilusión!|que una fontana fluía|dentro de mi corazón.", "abab"),
        (
            "Si de mi baja lira|tanto pudiese el son que en un momento|aplacase la ira|del animoso viento|"
            "y la furia del mar y el movimiento",
            "ababb",
        ),
        ("Tornarán las abejas a la rama|y en la casa de enfrente", "xx"),
        ("la casa|la rama", "xx"),  # two lines are too few to say
        ("En el valle|una casa|junto al río|un camino", "xxxx"),
        ("la casa|el camino|la rama|la bandada", "xxxx"),  # a free line has the assonance too
    ],
)
def test_assonance_is_not_heard_where_the_stanza_rhymes_or_is_blank(poem, scheme):
    assert find_scheme(poem.split("|"), "es") == scheme


@pytest.mark.parametrize(
    ("a", "b", "loose", "strict"),
    [
        ("casa", "rama", True, True),
        ("árboles", "cante", True, False),  # the middle vowel of an esdrújula
        ("historia", "rosa", True, False),  # a glide
        ("fácil", "valle", True, False),  # final i as e
        ("Venus", "cielo", True, False),  # final u as o
        ("gracia", "palabria", True, True),
        ("tiene", "viene", True, True),
        ("casa", "cosa", False, False),
    ],
)
def test_strict_assonance_ignores_no_vowel(a, b, loose, strict):
    assert (rhyme_kind(a, b, "es") in ("asonante", "consonante")) is loose
    assert (rhyme_kind(a, b, "es-strict") in ("asonante", "consonante")) is strict


def test_strict_assonance_goes_with_the_other_varieties_and_meter_does_not_change():
    assert rhyme_kind("caza", "casa", "es-distincion-strict") == "asonante"
    assert rhyme_kind("caza", "casa", "es-strict") == "consonante"
    assert verse("es-strict").scan(MOLINO.split("|")[0]) == EAR.scan(MOLINO.split("|")[0])
    poem = "Junto al río de mi pueblo|hay un molino y un árbol,|que muele penas de noche|y de día está cantando."
    assert find_scheme(poem.split("|"), "es") == find_scheme(poem.split("|"), "es-strict") == "xaxa"
    poem = "Junto al río de mi pueblo|hay un molino y un pájaro,|que muele penas de noche|y de día está cantando."
    assert (find_scheme(poem.split("|"), "es"), find_scheme(poem.split("|"), "es-strict")) == ("xaxa", "xxxx")


def test_what_is_alike_strictly_is_alike_loosely():
    tails = [ending.phones for word in "árboles cante historia rosa fácil valle gracia aire baile" for ending in EAR.endings(word)]
    for a in tails:
        for b in tails:
            assert strict_assonance(a) != strict_assonance(b) or assonance(a) == assonance(b)


# --- lengths -----------------------------------------------------------------------------------


def rhythm_rows() -> list[tuple[str, int, float, str]]:
    return [
        (where, int(n), float(weight), line) for where, (n, _, _, weight, line) in es_tables.rows("rhythms.tsv", es_tables.RHYTHM_COLUMNS)
    ]


@pytest.mark.parametrize(("where", "syllables", "weight", "line"), rhythm_rows())
def test_the_example_of_a_rhythm_has_its_weight(where, syllables, weight, line):
    scansion = EAR.scan(line, syllables)
    assert scansion.fits
    assert rhythm(scansion.stress or "") == weight


@pytest.mark.parametrize(
    ("line", "syllables"),
    [
        ("Juventud, divino tesoro,", 9),
        ("¡ya te vas para no volver!", 9),
        ("Cuando quiero llorar, no lloro", 9),
        ("y a veces lloro sin querer", 9),
        ("Tú que estás la barba en la mano", 9),
        ("Y luego el estrépito crece", 9),
        ("Del salón en el ángulo oscuro", 10),
        ("de su dueña tal vez olvidada", 10),
        ("silenciosa y cubierta de polvo", 10),
        ("como el pájaro duerme en las ramas", 10),
        ("Cendal flotante de leve bruma", 10),
        ("rizada cinta de blanca espuma", 10),
        ("Yo soy ardiente, yo soy morena,", 10),  # Bécquer, Rima XI: 5 + 5
        ("¿A mí me buscas? —No es a ti, no.", 10),
        ("¿A mí me llamas? —No; no es a ti.", 10),
        ("Yo soy un sueño, un imposible,", 10),
        ("soy incorpórea, soy intangible;", 10),
        ("no puedo amarte. —¡Oh, ven; ven tú!", 10),
        ("puedo brindarte dichas sin fin;", 10),
        ("Id en las alas del raudo céfiro,", 10),  # Leandro Fernández de Moratín, A Jovellanos
        ("humildes versos, de las floridas", 10),
        ("El olímpico cisne de nieve", 10),  # Darío, Blasón
        ("lustra el ala eucarística y breve", 10),
        ("Purpúreas rosas, perlas de Oriente,", 11),  # a pause after the fifth syllable too
        ("Pierdes el tiempo, Muerte, en mi herida,", 11),
        ("con la hambre, sed, calor y frío", 9),
        ("Era una dulce niña, en este", 9),
        ("mundo de duelo y de aflicción.", 9),
        ("Ella, naturalmente, fue,", 9),
        ("En tanto que de rosa y azucena", 11),
        ("Que el alma que hablar puede con los ojos", 11),
        ("Era un aire suave, de pausados giros", 12),
        ("el hada Harmonía ritmaba sus vuelos", 12),
        ("e iban frases vagas y tenues suspiros", 12),
        ("Al muy prepotente don Juan el segundo", 12),
        ("Metro mágico y rico que al alma expresas", 12),
        ("donceles latinos de rítmica tropa;", 12),  # Nervo, El metro de doce
        ("hasta en las bocas rojas de las gitanas.", 12),
        ("La princesa está pálida en su silla de oro", 14),
        ("Gautier? Fijo en mi mente tu extraño rostro está,", 14),  # Darío, Margarita
        ("sorbían el champaña del fino baccarat;", 14),
        ("¿Qué quieren esas nubes que con furor se agrupan", 14),  # Zorrilla, Las nubes
        ("del cenit suspendiendo su tenebroso tul?", 14),
        ("Muy cerca de mi ocaso, yo te bendigo, Vida,", 14),  # Nervo, En paz
        ("Que el alma de los poetas se abre a la nueva aurora", 14),
    ],
)
def test_without_a_target_a_line_has_the_length_of_its_rhythm(line, syllables):
    assert EAR.scan(line).syllables == syllables


def test_five_and_five_are_read_as_hemistichs():
    read = EAR.scan("Yo soy ardiente, yo soy morena,")
    assert (read.caesura, read.stress) == (5, "++-+-++-+-")
    assert EAR.scan("Dulce vecino de la verde selva").caesura is None


BERCEO = (
    "yendo en romería caecí en un prado",
    "verde e bien sencido, de flores bien poblado",
    "poséme a la sombra de un árbor fermoso",
    "Davan olor sovejo las flores bien olientes",
    "La verdura del prado, la olor de las flores",
    "Quiero fer una prosa en román paladino",
)


@pytest.mark.parametrize("line", BERCEO)
def test_a_line_of_the_cuaderna_via_fits_by_dialefa(line):
    scansion = EAR.scan(line, 14)
    assert scansion.fits and scansion.caesura == 7


def test_dialefa_licenses_no_other_length_and_no_prose():
    assert not EAR.scan("yendo en romería caecí en un prado", 15).fits
    assert not EAR.scan("En tanto que de rosa y azucena", 14).fits
    assert not EAR.scan("la casa de mi amigo", 14).fits
