"""A tiny verse model from nothing: the model, its schedule, rhyme-pair data, and the run that trains it."""
