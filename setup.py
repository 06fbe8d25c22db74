"""Which packages there are. Everything else is declared in pyproject.toml."""

from setuptools import find_packages, setup

setup(packages=find_packages(include=["rlpoet", "rlpoet.*", "rewards", "rewards.*", "policies", "policies.*"]))
