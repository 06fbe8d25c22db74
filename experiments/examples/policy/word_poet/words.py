"""The words that the policy can write. Few, so that it rhymes now and then before it has learned anything."""

from __future__ import annotations

WORDS = {
    "fr": "la le un une mon ton sa les des dans sur vers et où sans comme sous pour par qui nuit luit fuit bruit jour amour retour autour "
    "rose pose chose ombre sombre nombre pleure heure demeure tendre cendre attendre lune brune dune plage nuage image".split(),
    "es": "la el un una mi tu su los las de en por y sin como bajo para que con al luna cuna duna ola sola amor dolor flor color calor "
    "vida herida perdida viento lento aliento cielo suelo vuelo alma calma palma canto llanto".split(),
    "en": "the a my your his her of in on by and with from to where when as so no all night light bright day way say moon june tune heart "
    "part start rain pain again sea tree free stone alone flown sky fly high".split(),
}
