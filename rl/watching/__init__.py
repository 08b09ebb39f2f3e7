"""Watching an agent in a window, a terminal or a film."""
