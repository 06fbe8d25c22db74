"""The rule tables of the three languages as ``row_effects`` asks them: which rows take part in an answer, and a time without some."""

from experiments.release.tables.rules.english import EnglishRules
from experiments.release.tables.rules.french import FrenchRules
from experiments.release.tables.rules.language import Language
from experiments.release.tables.rules.spanish import SpanishRules

RULES: dict[str, type[Language]] = {"en": EnglishRules, "fr": FrenchRules, "es": SpanishRules}
