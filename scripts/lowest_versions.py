"""Prints the lowest version of each direct dependency, as constraints for pip.

python scripts/lowest_versions.py > lowest.txt && python -m pip install -c lowest.txt -e ".[test]"
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import common

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
BOUND = r'"([\w-]+)(?:\[[\w,]+\])?>=([\w.]+)'  # "name[extra]>=version


def lowest(project: str) -> list[str]:
    """The lines of the constraints file, sorted.

    Args:
        project: the text of a pyproject.toml.
    """
    _, _, requirements = project.partition("[project]")  # what builds the package is not tested
    return sorted({f"{name}=={version}" for name, version in re.findall(BOUND, requirements)})


def main() -> int:
    """Prints the constraints."""
    common.Parser(description="Prints the lowest versions of dependencies.").parse_args()
    print("\n".join(lowest(PROJECT.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
