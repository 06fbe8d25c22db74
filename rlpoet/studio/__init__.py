"""The studio: a web page on this machine to write, compose and compare verse. Needs ``pip install rlpoet[studio]``."""
