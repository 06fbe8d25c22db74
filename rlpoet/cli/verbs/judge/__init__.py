"""Verbs that measure models against people."""
