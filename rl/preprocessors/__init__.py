"""What an agent sees instead of the raw observation, and what it is rewarded with."""

from rl.preprocessors.base import Preprocessor
from rl.preprocessors.normalize import Moments, Normalize
from rl.preprocessors.picture import Picture
from rl.preprocessors.pictures import Atari, Crop, FrameStack, Grayscale, Pictures, Resize
from rl.preprocessors.stack import Difference, Stack

PREPROCESSORS: dict[str, type[Preprocessor]] = {
    "Identity": Preprocessor,
    "Stack": Stack,
    "Difference": Difference,
    "Normalize": Normalize,
    "Grayscale": Grayscale,
    "Resize": Resize,
    "Crop": Crop,
    "FrameStack": FrameStack,
    "Atari": Atari,
}

__all__ = [
    "PREPROCESSORS", "Difference", "Moments", "Normalize", "Picture", "Pictures", "Preprocessor",
    "Stack",
]  # fmt: skip
