"""The keys of an experiment."""

from __future__ import annotations

# Each key of an experiment, and what a user may put there.
KEYS: dict[str, type] = {
    "description": str,
    "import": str,
    "problem": str,
    "environment": dict,
    "agent": dict,
    "network": dict,
    "optimizer": dict,
    "memory": dict,
    "exploration": dict,
    "preprocessor": dict,
    "train": dict,
    "search": dict,
}
