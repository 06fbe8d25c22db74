"""The verbs of `rlpoet`, one module each: name a configuration, call one function."""
