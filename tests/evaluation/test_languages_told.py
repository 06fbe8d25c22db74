"""Two lines are enough to tell in which of the three languages they are, and of one's own language nothing is said."""

from __future__ import annotations

import pytest

from rlpoet.analysis.lexicon.which import likelier_language

COUPLETS = {  # first lines of the canon, with old spellings and dialect
    "en": (
        "The curfew tolls the knell of parting day,|The lowing herd wind slowly o'er the lea,",
        "I wandered lonely as a cloud|That floats on high o'er vales and hills,",
        "Tyger Tyger, burning bright,|In the forests of the night;",
        "Because I could not stop for Death –|He kindly stopped for me –",
        "Break, break, break,|On thy cold gray stones, O Sea!",
        "Gather ye rosebuds while ye may,|Old Time is still a-flying;",
        "Whan that Aprille with his shoures soote|The droghte of March hath perced to the roote",
        "Wee, sleekit, cow'rin, tim'rous beastie,|O, what a panic's in thy breastie!",
        "Hope is the thing with feathers|That perches in the soul,",
        "She walks in beauty, like the night|Of cloudless climes and starry skies;",
    ),
    "fr": (
        "Demain, dès l'aube, à l'heure où blanchit la campagne,|Je partirai. Vois-tu, je sais que tu m'attends.",
        "Sous le pont Mirabeau coule la Seine|Et nos amours",
        "Les sanglots longs|Des violons|De l'automne",
        "Mignonne, allons voir si la rose|Qui ce matin avoit desclose",
        "Il pleure dans mon cœur|Comme il pleut sur la ville",
        "Frères humains qui après nous vivez,|N'ayez les cuers contre nous endurcis,",
        "Heureux qui, comme Ulysse, a fait un beau voyage,|Ou comme cestuy-là qui conquit la toison,",
        "La Cigale, ayant chanté|Tout l'Été,",
        "Ô temps ! suspends ton vol, et vous, heures propices !|Suspendez votre cours :",
        "Je suis le Ténébreux, – le Veuf, – l'Inconsolé,|Le Prince d'Aquitaine à la Tour abolie :",
    ),
    "es": (
        "Volverán las oscuras golondrinas|en tu balcón sus nidos a colgar,",
        "Con diez cañones por banda,|viento en popa, a toda vela,",
        "Recuerde el alma dormida,|avive el seso y despierte",
        "Juventud, divino tesoro,|¡ya te vas para no volver!",
        "¡Qué descansada vida|la del que huye el mundanal ruïdo,",
        "Yo voy soñando caminos|de la tarde. ¡Las colinas",
        "Érase un hombre a una nariz pegado,|érase una nariz superlativa,",
        "Hombres necios que acusáis|a la mujer sin razón,",
        "Caminante, son tus huellas|el camino y nada más;",
        "En una noche oscura,|con ansias, en amores inflamada,",
    ),
}


@pytest.mark.parametrize("own, text", [(lang, text) for lang, texts in COUPLETS.items() for text in texts])
def test_two_lines_tell_their_language(own, text):
    told = {lang: likelier_language(text.split("|"), lang) for lang in COUPLETS}
    assert told == {lang: None if lang == own else own for lang in COUPLETS}
