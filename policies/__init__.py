"""Policies: causal language models that write verse. Import names are the folder names."""

__rlpoet__ = True
