"""Many trainings held against each other: a grid of runs, what can be said of them, and where it is written."""
