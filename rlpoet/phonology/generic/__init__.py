"""Phonemes of a language that is a folder of settings, by epitran and pyphen or a table of words."""
