"""Refuses an installed core of 250 MB or more, or one with a deep-learning framework in it.

python scripts/check_install.py      # in an environment that holds the core alone
"""

from __future__ import annotations

import importlib.util
import sys
import sysconfig
from pathlib import Path

import common

LIMIT_MEGABYTES = 250
FRAMEWORKS = ("torch", "tensorflow", "jax", "mxnet", "paddle")


def main() -> int:
    """Prints the size of the environment's packages; 1 if something is wrong."""
    common.Parser(description="Checks the size of the installed core.").parse_args()
    packages = Path(sysconfig.get_paths()["platlib"])
    files = (path for path in packages.rglob("*") if path.is_file() and not path.is_symlink())
    tools = ("pip", "setuptools")  # of the environment, not of the project
    size = sum(
        path.stat().st_size for path in files if path.relative_to(packages).parts[0] not in tools
    )
    found = [name for name in FRAMEWORKS if importlib.util.find_spec(name)]
    print(f"installed: {size / 1e6:.0f} MB; frameworks: {', '.join(found) or 'none'}")
    return int(bool(found) or size >= LIMIT_MEGABYTES * 1e6)


if __name__ == "__main__":
    sys.exit(main())
