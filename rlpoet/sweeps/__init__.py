"""Comparisons of many trainings: a grid of runs, its statistics, and its report."""
