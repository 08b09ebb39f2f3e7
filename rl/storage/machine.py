"""What a result may depend on to the last bit: versions, the processor, BLAS and its kernel."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from rl.distribution import DISTRIBUTION

BOX2D = ("box2d", "box2d-py")  # the distribution's name differs by platform

# What chooses how BLAS and NumPy compute; other kernels add in another order, and round otherwise.
KERNEL_VARIABLES = (
    "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS",
    "BLIS_ARCH_TYPE", "NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES",
)  # fmt: skip
THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip


def describe() -> dict[str, Any]:
    """This machine, and what is installed on it."""
    return {
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "gymnasium": installed("gymnasium"),
            "box2d": installed(*BOX2D),
            DISTRIBUTION: installed(DISTRIBUTION),
        },
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "system": platform.system(),
        # Its sine is not another's to the last bit. Elsewhere than on Linux it is the system's.
        "libc": " ".join(platform.libc_ver()).strip() or platform.platform(),
        "processor": platform.machine(),
        "processor_model": processor_model(),
        "simd": simd(),
        "blas": blas(),
        "environment": _set_variables([*KERNEL_VARIABLES, *THREAD_VARIABLES]),
    }


def installed(*names: str) -> str | None:
    """The version of the first of these distributions that is there, or None."""
    for name in names:
        try:
            if found := version(name):
                return found
        except (PackageNotFoundError, KeyError, ValueError, OSError):
            continue  # the latter three, and a version of None, are of damaged metadata
    return None


def processor_model() -> str | None:
    """What the processor is called, as far as the system says."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or None
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else None


def simd() -> list[str]:
    """The sets of instructions that NumPy's own loops use here."""
    found = np.show_config(mode="dicts").get("SIMD Extensions", {})
    return [*found.get("baseline", ()), *found.get("found", ())]


def blas() -> dict[str, Any]:
    """NumPy's BLAS: `library`, `version`, `kernel` (which it chooses by processor), `threads`.

    Where the library does not say, as Accelerate, the last two are None.
    """
    try:
        from threadpoolctl import threadpool_info
    except ImportError:  # `rl doctor` tells
        found = []
    else:
        found = [each for each in threadpool_info() if each["user_api"] == "blas"]
    ours = [each for each in found if "numpy" in each["filepath"]] or found
    if not ours:
        built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return {"library": built.get("name"), "version": built.get("version"),
                "kernel": None, "threads": None}  # fmt: skip
    first = ours[0]
    return {
        "library": first["internal_api"],
        "version": first["version"],
        "kernel": first.get("architecture"),
        "threads": first["num_threads"],
    }


def _set_variables(names: Sequence[str]) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}
