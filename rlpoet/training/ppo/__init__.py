"""Proximal policy optimisation with a KL penalty to the prior: advantages, critic and trainer."""
