"""Other programs beside this one, in one run; each in an environment of its own, none a dependency."""
