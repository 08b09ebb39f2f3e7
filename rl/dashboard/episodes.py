"""The latest greedy episode of a session, played in the background and kept in memory."""

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
from rl.saved.run import Run
from rl.storage.run_folder import RunFolder
from rl.storage.session_folder import CHECKPOINTS, SessionFolder
from rl.watching.frames import Scene

KEPT = 8  # episodes, at most


@dataclass(frozen=True)
class Played:
    """An episode that has been played or is being played."""

    policy: str  # that plays, as `newest` names it
    replay: Future[Replay]  # raises a `UserError` if there is nothing to see


class Episodes:
    """Plays one episode at a time, to leave the processor to the sessions that learn.

    The seed is fixed, so that all policies play the same episode.
    """

    def __init__(self) -> None:
        self._turn = Lock()  # to play
        self._guard = Lock()  # of what is kept
        self._kept: OrderedDict[Path, Played] = OrderedDict()  # by session

    def ask(self, folder: RunFolder, trial: int, session: int, policy: str | None = None) -> Played:
        """The latest episode of a session; the first request for it starts playing.

        Args:
            folder: of the run.
            trial: the number of the trial.
            session: the number of the session in it.
            policy: of an episode requested earlier, which no newer policy then replaces.

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
            except Exception as error:  # raised where the result is asked for
                future.set_exception(error)

        Thread(target=work, name="episode", daemon=True).start()
        return future


def newest(folder: SessionFolder) -> str:
    """A name of the newest checkpoint of a session in its current state.

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
