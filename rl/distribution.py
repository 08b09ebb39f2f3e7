"""The name under which pip knows the lab, and its version."""

from __future__ import annotations

__version__ = "0.1.0"  # stated here alone: pyproject.toml reads it

# On PyPI `rl-lab` is another project: whoever installs that gets a stranger's code.
DISTRIBUTION = "reinforcement-by-hand"
FORMER = "rl-lab"  # what manifests of older runs call it


def installing(extra: str) -> str:
    """The command that installs the packages of an extra."""
    return f'python -m pip install "{DISTRIBUTION}[{extra}]"'
