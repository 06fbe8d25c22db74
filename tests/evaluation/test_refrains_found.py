"""Forms with refrains and linked stanzas, in poems of their own: found, found without blank lines, and lost with a line."""

from __future__ import annotations

import pytest

from rlpoet.evaluation.recognition import recognize
from rlpoet.evaluation.score import score_text
from rlpoet.text import split_poem, stanzas

POEMS = {  # language, form, a line that another one repeats or rhymes with (from 0)
    ("en", "pantoum", 5): """
The river goes down to the sea,
The lamps in the harbour are bright,
No letter has come back to me,
The ships are away in the night.

The lamps in the harbour are bright,
I wait by the wall in the rain,
The ships are away in the night,
I count all the bells once again.

I wait by the wall in the rain,
The gulls have gone under the stone,
I count all the bells once again,
The tide and the dark are my own.

The gulls have gone under the stone,
No letter has come back to me,
The tide and the dark are my own,
The river goes down to the sea.
""",
    ("en", "villanelle", 18): """
The winter light is all I keep,
The snow lies white on hill and tree;
The house is quiet, let it sleep.

The drifts along the lane are deep,
No foot has come from town to me;
The winter light is all I keep.

The shepherd has no other sheep
Than clouds above a frozen sea;
The house is quiet, let it sleep.

The hours like old women creep
And count their beads on bended knee;
The winter light is all I keep.

I had a field I did not reap,
I had a bird I did set free;
The house is quiet, let it sleep.

The road went down, the road was steep,
And all who walked it, where is she?
The winter light is all I keep,
The house is quiet, let it sleep.
""",
    ("en", "rondel-13", 12): """
The swallow comes, the summer wakes,
The hedge is green beside the lane,
The hills are new with morning rain,
A wind goes over all the lakes.

The miller takes his meal and makes
A song of wheat and golden grain;
The swallow comes, the summer wakes,
The hedge is green beside the lane.

There is no heart in spring that breaks
But summer makes it whole again,
And there is none so full of pain
But drinks the light that morning shakes;
The swallow comes, the summer wakes.
""",
    ("en", "limerick", 4): """
A baker who lived by the bay
Made bread in the shape of a sleigh;
When they asked, "Is it cold?"
He said, "No, it is old,
And I baked it with snow yesterday."
""",
    ("fr", "triolet", 6): """
La pluie a chanté sur le toit,
Le feu s'endort, la lampe fume ;
Je n'ai plus de chanson pour toi,
La pluie a chanté sur le toit.
Le vent du nord a pris ma voix,
Le jour se perd dans une brume ;
La pluie a chanté sur le toit,
Le feu s'endort, la lampe fume.
""",
    ("fr", "pantoum", 4): """
Le soir descend sur la rivière,
Les cloches pleurent dans le bois ;
La lune allume sa lumière,
J'entends encor la même voix.

Les cloches pleurent dans le bois,
Le vent s'endort sous les feuillages ;
J'entends encor la même voix
Qui passe au fond des paysages.

Le vent s'endort sous les feuillages,
Mon cœur revient à ses douleurs ;
Qui passe au fond des paysages
Comme un vieillard parmi les fleurs ?

Mon cœur revient à ses douleurs,
La lune allume sa lumière ;
Comme un vieillard parmi les fleurs,
Le soir descend sur la rivière.
""",
    ("es", "terza-rima", 3): """
Por el camino va la caravana,
la noche cubre el mar con su tristeza,
y lejos se despierta una campana.

El viento de la sierra canta y reza,
la luna da a los pinos su reflejo,
y todo vuelve a ser como belleza.

Y el agua duerme quieta en el espejo.
""",
    ("es", "soleá", 2): """
Por la senda de la sierra
va cantando el carbonero
las penas que yo tuviera.
""",
}
OTHER = {"en": "And nothing of the kind is here", "fr": "Rien de tel ne se trouve ici", "es": "y nada de lo que se dijo"}
ASKED = [(lang, name, line, text.strip()) for (lang, name, line), text in POEMS.items()]


@pytest.mark.parametrize("lang, name, line, text", ASKED, ids=[f"{lang}-{name}" for lang, name, *_ in ASKED])
def test_a_form_is_found_with_and_without_its_blank_lines(lang, name, line, text):
    for parts in (stanzas(text), [split_poem(text)]):
        found, _ = recognize(parts, lang)
        assert found is not None and found.name == name
    (poem,) = score_text(text, lang)
    assert (poem.form, poem.scores["rhyme"], poem.scores["meter"]) == (name, 1.0, 1.0)


@pytest.mark.parametrize("lang, name, line, text", ASKED, ids=[f"{lang}-{name}" for lang, name, *_ in ASKED])
def test_a_form_that_lost_a_line_is_not_found_and_not_granted(lang, name, line, text):
    lines = text.split("\n")
    written = [n for n, own in enumerate(lines) if own]
    lines[written[line]] = OTHER[lang]
    broken = "\n".join(lines)
    found, _ = recognize(stanzas(broken), lang)
    assert found is None or found.name != name
    assert score_text(broken, lang, name)[0].scores["rhyme"] < 1.0
