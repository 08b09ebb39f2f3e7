"""Trains for a given time, kills runs at random moments, and checks the results.

    python scripts/soak.py --minutes 60
    python scripts/soak.py --minutes 5 --seed 7

It chooses an experiment and a seed, runs it undisturbed, and then a second time, killing the whole
process group (mostly SIGKILL, sometimes SIGTERM or Ctrl-C) at random times and continuing with
`rl resume`. Both runs must leave identical results. The resident memory of the undisturbed run must
not grow by more than GROWTH after the first quarter. It prints a line for each, and exits with
status 1 if any check failed; the runs that failed stay in --folder.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common

from rl.checks.verification import difference
from rl.storage.run_folder import RunFolder

GROWTH = 20.0  # MB
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
SHORT = [
    "train.evaluate_every=2000",
    "train.checkpoint_seconds=0.5",
    "train.stop_when_solved=false",
]
# A replay memory that wraps around, priorities, lanes, statistics, correlated noise.
EXPERIMENTS: dict[str, tuple[str, ...]] = {
    "lunarlander_dqn": ("train.steps=15000", "memory.capacity=4000"),
    "cartpole_double_dqn": ("train.steps=12000", "memory.name=Prioritized", "train.lanes=4"),
    "lunarlander_actor_critic": ("train.steps=40000",),
    "mountaincar_continuous_ddpg": ("train.steps=6000", "memory.capacity=2500"),
    "pendulum_actor_critic": ("train.steps=20000", "train.evaluate_every=5000"),
    "bipedalwalker_ddpg": ("train.steps=3000", "agent.learn_start=500", "train.lanes=2"),
}


def rl(*arguments: str) -> subprocess.Popen[bytes]:
    """Starts `rl ...` in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "rl", *arguments],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def resident(pid: int) -> float:
    """MB of resident memory; 0 where it is unknown."""
    command = ["ps", "-o", "rss=", "-p", str(pid)]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return 0.0
    return float(told or 0) / 1024


def run_undisturbed(arguments: list[str], path: Path) -> float:
    """Runs to the end; returns the growth of its memory in MB after the first quarter."""
    process, seen = rl("run", *arguments, "--output", str(path)), []
    evaluations = RunFolder(path).session().evaluations
    while process.poll() is None:
        if evaluations.exists():
            rows = len(evaluations.read_text().splitlines()) - 1
            seen.append((rows, resident(process.pid)))
        time.sleep(0.05)
    if process.returncode != 0:
        raise SystemExit(f"rl run {' '.join(arguments)}: status {process.returncode}")
    last = seen[-1][0]  # after the last evaluation it draws, which takes more
    learning = [memory for rows, memory in seen if last // 4 <= rows < last and memory]
    return max(learning) - learning[0] if learning else 0.0


def run_disturbed(arguments: list[str], path: Path, moments: random.Random) -> int:
    """Runs to the end with kills on the way; returns their number."""
    output = ("--output", str(path))
    process, ended = rl("run", *arguments, *output), 0
    while True:
        try:
            process.wait(moments.uniform(0.5, 6.0))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, moments.choice(SIGNALS))
            process.wait()
            ended += 1
        if process.returncode == 0:
            return ended
        begun = path.exists()
        command = ["resume", str(path), "--quiet"] if begun else ["run", *arguments, *output]
        process = rl(*command)


def soak(minutes: float, folder: Path, moments: random.Random) -> bool:
    """Checks random experiments and seeds until the time is over; returns True if all passed."""
    good, deadline = True, time.monotonic() + 60.0 * minutes
    while time.monotonic() < deadline:
        name = moments.choice(sorted(EXPERIMENTS))
        seed = moments.randrange(1000)
        settings = ["--set", *SHORT, *EXPERIMENTS[name]]
        arguments = [name, "--seed", str(seed), "--quiet", "--no-report", *settings]
        whole, cut = (folder / f"{name}_{seed}_{kind}" for kind in ("whole", "cut"))
        growth = run_undisturbed(arguments, whole)
        ended = run_disturbed(arguments, cut, moments)
        failure = difference(RunFolder(cut).session(), RunFolder(whole).session())
        if growth > GROWTH:
            failure = failure or "its memory grows"
        print(f"{name}, seed {seed}: killed {ended} times: {failure or 'identical'}; "
              f"memory {growth:+.1f} MB", flush=True)  # fmt: skip
        if failure:
            good = False
        else:
            shutil.rmtree(whole)
            shutil.rmtree(cut)
    return good


def main() -> None:
    parser = common.Parser(description="Trains with random kills and checks the result.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0, help="of the choices and of the kills")
    parser.add_argument("--folder", type=Path, help="for the runs (default: a temporary one)")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="rl_soak_"))
    folder.mkdir(parents=True, exist_ok=True)
    good = soak(options.minutes, folder, random.Random(options.seed))
    print("all passed" if good else f"failed; kept in {folder}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
