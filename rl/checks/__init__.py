"""Checks of the installation, of environments, of results and of specifications."""
