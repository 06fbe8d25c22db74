"""Tables of a corpus: one row a line and one a poem, with scheme, meter and what was guessed, as CSV, JSON Lines, parquet or TEI."""

from rlpoet.evaluation.annotation.config import AnnotateConfig
from rlpoet.evaluation.annotation.rows import Annotated, LineRow, PoemRow, annotate_poem

__all__ = ["AnnotateConfig", "Annotated", "LineRow", "PoemRow", "annotate_poem"]
