"""The array types of the signatures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # floating; float32 unless the user asks for float64
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
State = dict[str, Any]  # arrays, numbers, strings and nested dictionaries of them
