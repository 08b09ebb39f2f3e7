"""Ships trained agents: of each experiment the best checkpoint of seed 0, as one small file.

    python scripts/ship_agents.py                       # those of runs/matrix
    python scripts/ship_agents.py FOLDER ... --only "pendulum*"

A file has what is needed to act: weights, the preprocessor's statistics, the specification, and
what the run says that the agent is worth. It is written only if the agent, read back, plays all
episodes of that evaluation as the run says. A file without a session here stays as it is. All files
together take less than 5 MB: an agent of more than 400 kB is not shipped.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import common
from fitness_matrix import place

from nn import checkpoint
from rl.distribution import __version__
from rl.errors import UserError
from rl.formatting import figure_of
from rl.saved.policy_file import PolicyFile
from rl.specification.specification import Specification, all_specifications
from rl.storage.session_folder import SessionFolder
from rl.storage.shipped import SHIPPED

SEED = 0
MOST_EACH, MOST = 400_000, 5_000_000  # bytes
FEW = 5  # episodes whose returns are kept, by which an installation can check the agent
KEPT = ("step", "experiment", "specification", "policy", "preprocessor")


def stripped(session: SessionFolder) -> dict[str, Any]:
    """What is shipped of a session that was evaluated."""
    state, evaluation = session.load_checkpoint("best"), session.read_outcome()["evaluation"]
    figures = {name: evaluation[name] for name in ("mean_return", "ci95", "episodes", "solved")}
    about = {"seed": SEED, "version": __version__, **figures}
    return {**{name: state[name] for name in KEPT}, "shipped": about}


def ship(specification: Specification, session: SessionFolder, folder: Path) -> str:
    """Writes the agent of a session into a folder; returns what became of it."""
    state, said = stripped(session), session.read_outcome()["evaluation"]["returns"]
    with tempfile.TemporaryDirectory() as beside:
        tried = Path(beside) / "agent.npz"
        checkpoint.save(tried, state)
        if (size := tried.stat().st_size) > MOST_EACH:
            return f"not shipped: {size:,} bytes"
        agent = PolicyFile(tried)
        if agent.evaluate(len(said), SEED).returns != said:
            return "not shipped: it does not play as the run says; was it trained elsewhere?"
        state["shipped"]["few_returns"] = agent.evaluate(FEW, SEED).returns
    checkpoint.save(folder / f"{specification.name}.npz", state)
    return f"{figure_of(state['shipped']['mean_return'])}, {size:,} bytes"


def sessions(
    specifications: Iterable[Specification], folders: list[Path]
) -> Iterator[tuple[Specification, SessionFolder]]:
    """The first session of each experiment that was evaluated in one of the folders."""
    for specification in specifications:
        found = [place(specification, SEED, folder) for folder in folders]
        there = [each for each in found if "evaluation" in each.read_outcome()]
        if there:
            yield specification, there[0]


def main() -> None:
    parser = common.Parser(description="Ship the trained agents of seed 0.")
    parser.add_argument("folders", metavar="FOLDER", nargs="*", type=Path,
                        default=[Path("runs/matrix")])  # fmt: skip
    parser.add_only("experiments, such as 'pendulum*'")
    parser.add_argument("--output", metavar="DIR", type=Path, default=SHIPPED,
                        help=argparse.SUPPRESS)  # fmt: skip
    options = parser.parse_args()
    parser.make_folder(options.output)
    with parser.answering(UserError):
        every = all_specifications().values()
        chosen = parser.named(options.only, every, lambda each: [each.name])
        for specification, session in sessions(chosen, options.folders):
            print(f"{specification.name}: {ship(specification, session, options.output)}")
    total = sum(file.stat().st_size for file in options.output.glob("*.npz"))
    print(f"{total:,} bytes in all")
    sys.exit(total > MOST)


if __name__ == "__main__":
    main()
