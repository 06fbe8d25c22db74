"""Models over texts: authorship by sound, coherence by theme, an index of word runs; their files, and intervals."""
