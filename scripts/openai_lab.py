"""What of OpenAI Lab's specifications can be run here: builds each, and says what differs.

    python scripts/openai_lab.py FOLDER    # of its *_experiment_specs.json and problems.json

The table of docs/openai_lab.md is the output for the files that are there.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rl.errors import UserError
from rl.openai_lab.reading import APPROXIMATES
from rl.search.settings import read_settings
from rl.specification.build import build
from rl.specification.specification import Specification, read_specifications

KINDS = ("as the original", "approximated", "refused")


def verdict(specification: Specification) -> tuple[str, str]:
    """One of `KINDS`, and what is approximated or why it is refused."""
    if not specification.refusal:
        try:
            build(specification, seed=0)
            if specification.block("search"):
                read_settings(specification)
        except UserError as error:
            return "refused", str(error)
        note = specification.note
        is_exact = not note.startswith(APPROXIMATES)
        return KINDS[not is_exact], note if is_exact else note.partition(": ")[2]
    return "refused", specification.refusal


def table(folder: Path) -> Iterator[str]:
    """The lines of a table of all experiments, and the counts."""
    counts = Counter[str]()
    yield "| experiment | builds | what differs |"
    yield "| --- | --- | --- |"
    for file in sorted(folder.glob("*_experiment_specs.json")):
        for name, specification in read_specifications(file).items():
            kind, said = verdict(specification)
            counts[kind] += 1
            yield f"| {name} | {kind} | {said} |"
    yield ""
    counted = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS)
    yield f"Of {counts.total()} experiments: {counted}."


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    print(*table(parser.parse_args().folder), sep="\n")


if __name__ == "__main__":
    main()
