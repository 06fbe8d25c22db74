"""Options: a frozen dataclass per verb, from Python, YAML files and flags; ranges as types; the names of earlier releases."""
