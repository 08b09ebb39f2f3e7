"""The files of a run: written atomically, checked when they are read."""
