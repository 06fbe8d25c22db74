"""Verse of a language that is a folder of settings: syllables, scansion and rhyme by its sounds."""
