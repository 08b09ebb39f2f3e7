"""Experiments: from a specification to a folder of results."""
