"""Poems: reading from many sources, filters, splits by poem, statistics, writing.

Use ``read_poems(sources)`` and ``select(poems, where)`` from other code; ``rlpoet corpus`` runs all of it.
"""

from rlpoet.corpus.poem import Poem, deduplicated, split_poems
from rlpoet.corpus.read import Columns, read_poems, write_poems
from rlpoet.corpus.where import select

__all__ = ["Columns", "Poem", "deduplicated", "read_poems", "select", "split_poems", "write_poems"]
