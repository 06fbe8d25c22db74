"""Poems with gaps: lines that are written around those that are given, so that all of them keep one form."""
