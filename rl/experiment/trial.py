"""A trial: sessions of one setting. So far a trial has one session."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rl.errors import UserError
from rl.experiment.build import Experiment, build
from rl.experiment.run import Run
from rl.experiment.session import Session, Watcher
from rl.experiment.specification import Specification, load_specification
from rl.run_folder import RunFolder, default_path


def train(
    name: str,
    seed: int = 0,
    overrides: Iterable[str] = (),
    spec: str | Path | None = None,
    output: str | os.PathLike[str] | None = None,
    watcher: Watcher | None = None,
) -> Run:
    """Runs an experiment: learns, keeps the best checkpoint, evaluates it on unseen episodes.

    Args:
        name: of the experiment, such as "lunarlander_dqn".
        seed: of everything random.
        overrides: "dotted.path=value", such as "optimizer.learning_rate=0.0005".
        spec: a JSON or YAML file to look the experiment up in, instead of the lab's own.
        output: the run folder; `runs/NAME/TIMESTAMP` by default.
        watcher: is told of progress.

    Raises:
        UserError: something in the specification is wrong; nothing was written.
        Diverged: a number is not finite.
    """
    return run_trial(load_specification(name, spec, overrides), seed, output, watcher)


def run_trial(
    specification: Specification,
    seed: int,
    output: str | os.PathLike[str] | None,
    watcher: Watcher | None,
) -> Run:
    """`train` for a specification that is loaded already."""
    if seed < 0:
        raise UserError(f"seed must not be negative, but is {seed}")
    with one_blas_thread():
        experiment = build(specification, seed)
        folder = _create(experiment, seed, output)
        session = Session(experiment, folder.session(), watcher)
        try:
            with stopped_by_signals(session.interrupt):
                session.run()
        finally:
            folder.session().write_outcome(session.outcome())
            _draw(folder, experiment)
        run = Run(folder)
        if not session.interrupted:
            evaluation = run.report(run.evaluate())
            folder.session().write_outcome({**session.outcome(), "evaluation": evaluation})
        return run


def _create(experiment: Experiment, seed: int, output: str | os.PathLike[str] | None) -> RunFolder:
    name = experiment.specification.name
    path = Path(output) if output is not None else default_path(name)
    command: Sequence[str] = sys.argv
    return RunFolder.create(path, name, experiment.specification.values, command, seed)


def _draw(folder: RunFolder, experiment: Experiment) -> None:
    from rl.analysis.plots import draw_curve

    problem = experiment.problem
    draw_curve(folder.session(), f"{experiment.specification.name} on {problem.id}", problem.solved)


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Within, the first Ctrl-C or SIGTERM calls `stop`; the second acts as it always does.

    Python delivers signals to the main thread only; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(each) for each in signals]

    def put_back() -> None:
        for each, handler in zip(signals, before, strict=True):
            signal.signal(each, handler)

    def handle(*_: Any) -> None:
        put_back()
        stop()

    for each in signals:
        signal.signal(each, handle)
    try:
        yield
    finally:
        put_back()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within, BLAS uses one thread: more only slow down matrices of these sizes."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield
