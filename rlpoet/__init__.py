"""rlpoet: a reinforcement-learning rhyme-optimisation toolkit."""

__rlpoet__ = True
__version__ = "0.1.0"
