"""Poems on demand: what `rlpoet generate` is asked for, and how it writes, scores and shows them."""
