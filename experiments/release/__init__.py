"""How the shipped weights and tables were made: averaging, shipping and building tables."""
