"""What an agent sees instead of the raw observation, and what it is rewarded with."""

from rl.preprocessors.base import Preprocessor
from rl.preprocessors.normalize import Moments, Normalize
from rl.preprocessors.stack import Difference, Stack

PREPROCESSORS: dict[str, type[Preprocessor]] = {
    "Identity": Preprocessor,
    "Stack": Stack,
    "Difference": Difference,
    "Normalize": Normalize,
}

__all__ = ["PREPROCESSORS", "Difference", "Moments", "Normalize", "Preprocessor", "Stack"]
