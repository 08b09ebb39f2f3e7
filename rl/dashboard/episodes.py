"""The latest greedy episode of a session, played in the background and kept in memory alone."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread

from rl.environments import evaluation_seeds
from rl.errors import UserError
from rl.report.blocks import Replay
from rl.report.pictures import replay
from rl.running.jobs import one_blas_thread
from rl.running.opened_run import Run
from rl.storage.run_folder import CHECKPOINTS, RunFolder, SessionFolder
from rl.watching.frames import Scene

KEPT = 8  # episodes, at most


@dataclass(frozen=True)
class Played:
    """An episode that is there or will be.

    Args:
        policy: which policy plays, as `newest` names it.
        replay: the episode; it raises a `UserError` if there is nothing to be seen.
    """

    policy: str
    replay: Future[Replay]


class Episodes:
    """Plays one episode at a time, so that what learns beside it is left the processor.

    All policies play the same episode, by its seed.
    """

    def __init__(self) -> None:
        self._turn = Lock()  # who has it plays
        self._guard = Lock()  # of what is kept
        self._kept: OrderedDict[Path, Played] = OrderedDict()  # by session

    def ask(self, folder: RunFolder, trial: int, session: int, policy: str | None = None) -> Played:
        """The latest episode of a session, which begins to be played if nobody asked before.

        Args:
            folder: of the run.
            trial: the number of the trial.
            session: the number of the session in it.
            policy: of an episode that was asked for before; a newer policy does not replace it.

        Raises:
            UserError: there is no checkpoint yet.
        """
        of = folder.session(trial, session)
        latest = newest(of)
        with self._guard:
            kept = self._kept.get(of.path)
            if kept is None or (kept.policy not in (policy, latest) and kept.replay.done()):
                kept = self._kept[of.path] = Played(latest, self._begin(folder, trial, session))
            self._kept.move_to_end(of.path)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return kept

    def _begin(self, folder: RunFolder, trial: int, session: int) -> Future[Replay]:
        future: Future[Replay] = Future()

        def work() -> None:
            try:
                with self._turn:
                    future.set_result(_play(folder, trial, session))
            except Exception as error:  # is raised to whoever asks for the result
                future.set_exception(error)

        Thread(target=work, name="episode", daemon=True).start()
        return future


def newest(folder: SessionFolder) -> str:
    """A text that names the newest checkpoint of a session as it is now.

    Raises:
        UserError: there is none.
    """
    name = _newest(folder)
    return f"{name}-{folder.checkpoint(name).stat().st_mtime_ns}"


def _newest(folder: SessionFolder) -> str:
    there = [name for name in CHECKPOINTS if folder.has_checkpoint(name)]
    if not there:
        raise UserError(f"{folder.path}: has no checkpoint yet; its first step makes one")
    return max(there, key=lambda name: folder.checkpoint(name).stat().st_mtime_ns)


def _play(folder: RunFolder, trial: int, session: int) -> Replay:
    run = Run(folder, trial, session)
    name = _newest(run.session)
    step = int(run.session.load_checkpoint(name)["step"])
    (seed,) = evaluation_seeds("report", 0, 1)
    with one_blas_thread(), closing(Scene(run.problem.id, run.player(name))) as scene:
        return replay(scene, seed, f"The policy of step {step:,}")
