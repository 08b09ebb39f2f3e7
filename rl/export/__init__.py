"""A greedy policy as a file that runs without this project."""

from rl.export.files import FORMATS, export, find_format
from rl.export.policy import policy_of

__all__ = ["FORMATS", "export", "find_format", "policy_of"]
