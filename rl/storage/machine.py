"""What the last bits of a result depend on: versions, the processor, BLAS and its kernel."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from rl.distribution import DISTRIBUTION

BOX2D = ("box2d", "box2d-py")  # the distribution's name differs by platform

# These choose the kernels of BLAS and NumPy, which differ in the order of their sums.
KERNEL_VARIABLES = (
    "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS",
    "BLIS_ARCH_TYPE", "NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES",
)  # fmt: skip
THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip


def describe() -> dict[str, Any]:
    """This machine and the versions installed on it."""
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
        # Its functions, such as the sine, differ in the last bit.
        "libc": " ".join(platform.libc_ver()).strip() or platform.platform(),
        "processor": platform.machine(),
        "processor_model": processor_model(),
        "simd": simd(),
        "blas": blas(),
        "environment": {
            name: os.environ[name]
            for name in (*KERNEL_VARIABLES, *THREAD_VARIABLES) if name in os.environ
        },
    }  # fmt: skip


def installed(*names: str) -> str | None:
    """The version of the first of these distributions that is installed, or None."""
    for name in names:
        try:
            if found := version(name):
                return found
        except (PackageNotFoundError, KeyError, ValueError, OSError):
            continue  # the latter three, and a version of None, come from damaged metadata
    return None


def processor_model() -> str | None:
    """The name of the processor, if the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or None
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else None


def simd() -> list[str]:
    """The instruction sets that NumPy's own loops use here."""
    found = np.show_config(mode="dicts").get("SIMD Extensions", {})
    return [*found.get("baseline", ()), *found.get("found", ())]


def blas() -> dict[str, Any]:
    """NumPy's BLAS: `library`, `version`, `kernel` (chosen by the processor) and `threads`.

    The last two are None of a library that does not tell them, such as Accelerate.
    """
    found: list[dict[str, Any]] = []
    with suppress(ImportError):  # which `rl doctor` reports
        from threadpoolctl import threadpool_info

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
