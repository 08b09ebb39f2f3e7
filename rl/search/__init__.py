"""Searches: the space of settings, methods that propose trials, and running them."""
