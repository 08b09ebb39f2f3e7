"""`rl.train` and `rl.resume`: runs from a program."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Mapping
from itertools import compress
from pathlib import Path
from typing import Any

from rl.console.output import lenient
from rl.console.place import in_place
from rl.console.signals import act_as_asked, noticed
from rl.environments.registered import offered
from rl.errors import LOCAL, SessionsFailed, UserError
from rl.running.display import showing_by_default
from rl.running.executors import WORKER, Inline, Processes
from rl.running.extension import extend
from rl.running.trial import create_trial, run_sessions
from rl.saved.run import Run
from rl.saved.source import Source
from rl.session.callback import (
    SESSION_METHODS,
    Callback,
    Callbacks,
    callbacks_of,
    overrides,
    packed,
)
from rl.specification.objects import specification_from
from rl.specification.overrides import given_by
from rl.specification.specification import Specification
from rl.storage.run_folder import RunFolder


def train(
    name: str | Specification | Mapping[str, Any] | None = None,
    seed: int = 0,
    overrides: Iterable[str] | Mapping[str, Any] = (),
    spec: str | Path | Mapping[str, Any] | None = None,
    output: str | os.PathLike[str] | None = None,
    callbacks: Callback | Iterable[Callback] = (),
    sessions: int = 1,
    jobs: int = 1,
    draw: bool = True,
    display: bool | None = None,
    env: Any = None,
    agent: str | None = None,
    steps: int | None = None,
    episodes: int | None = None,
    env_kwargs: Mapping[str, Any] | None = None,
    start_from: str | os.PathLike[str] | None = None,
    fresh_normalization: bool = False,
) -> Run:
    """Runs an experiment: learns, keeps the best checkpoint, evaluates it on unseen episodes.

    Several sessions run in processes of their own: a script that asks for them must do so under
    `if __name__ == "__main__":`.

    Args:
        name: of the experiment, such as "lunarlander_dqn", or an environment's id, or the
            specification itself, also as a dictionary.
        seed: of everything random in the first session; the others have the following ones.
        overrides: settings by their dotted paths, such as {"agent.gamma": 0.9}, or blocks of them,
            or texts such as "agent.gamma=0.9".
        spec: a JSON or YAML file to look the experiment up in, instead of the lab's own, or a
            dictionary of experiments.
        output: the run folder; `runs/NAME/TIMESTAMP` by default.
        callbacks: one or several, which are called as the sessions run (`rl.Callback`).
        sessions: how many.
        jobs: how many of them at once.
        draw: whether learning curves are drawn; everything else is left in any case.
        display: whether progress is shown; by default in a terminal and in a notebook.
        env: the environment to learn, in place of the specification's: an id, an `environment`
            block, a class, a function that makes one (`lambda: Corridor(5)`), or an environment.
            What no module has by a name can only be made by this program: `resume` and `load`
            take it again as their `env`, and `rl verify` cannot check the run.
        agent: the name of the agent, where there is no specification; by default the one that the
            actions call for.
        steps: the setting train.steps.
        episodes: the setting train.episodes.
        env_kwargs: arguments of the environment's constructor.
        start_from: a trained agent whose networks the sessions start from, as `rl run --from`.
        fresh_normalization: whether its preprocessor's statistics begin anew.

    Raises:
        UserError: something in the specification is wrong, and nothing was written; or the
            environment of the only session breaks a rule.
        Diverged: a number is not finite, in the only session.
        SessionsFailed: so have several sessions, all of them.
        KeyboardInterrupt, SystemExit: after Ctrl-C, or SIGTERM or SIGHUP, once all is saved.
    """
    given = callbacks_of(callbacks)
    budget = {"train.steps": steps, "train.episodes": episodes}
    wanted = {key: value for key, value in budget.items() if value is not None}
    specification = specification_from(
        name, spec, {**given_by(overrides), **wanted}, env, agent, env_kwargs
    )
    if sessions < 1 or jobs < 1:
        raise UserError(f"sessions and jobs must be at least 1, not {sessions} and {jobs}")
    if sessions > 1:
        _require_safe_main()
        _require_shared(specification)
    seeds = range(seed, seed + sessions)
    source = None if start_from is None else Source.find(start_from, fresh_normalization)
    return _run_for_user(
        lambda: create_trial(specification, seeds, output, given, source),
        given, sessions, jobs, draw, display,
    )  # fmt: skip


def resume(
    path: str | os.PathLike[str],
    callbacks: Callback | Iterable[Callback] = (),
    jobs: int = 1,
    draw: bool = True,
    display: bool | None = None,
    *,
    steps: int | None = None,
    episodes: int | None = None,
    past_solved: bool = False,
    env: Callable[..., Any] | None = None,
) -> Run:
    """Resumes a run, as `rl resume` does; with more steps or episodes, beyond its end.

    What comes of it is, to the bit, what would have come of a run that had asked for so much from
    the beginning.

    Args:
        path: the run folder, or an experiment's name for its latest run.
        callbacks: as for `train`; those that the run was begun with are not saved with it.
        jobs: as for `train`.
        draw: as for `train`.
        display: as for `train`.
        steps: that each session is to have done in all; by default those that it was to do.
        episodes: likewise.
        past_solved: whether sessions go on that stopped since they had solved the problem.
        env: makes the environment, if only the program that trained could.

    Raises:
        UserError: there is no such run, it is damaged or a search, or it cannot go on so far.
        Diverged, SessionsFailed, KeyboardInterrupt, SystemExit: as for `train`.
    """
    given, folder = callbacks_of(callbacks), RunFolder.open(path)
    manifest = folder.read_manifest()
    if manifest.get("kind") == "search":
        raise UserError(f"{folder.path}: is a search; to resume it: rl resume {folder.path}")
    sessions = len(manifest["seeds"])
    if sessions > 1:
        _require_safe_main()
    with offered(env):
        Run(folder)
    notes = extend(folder, steps, episodes, past_solved)
    run = Run(folder)
    run.notes = notes
    return _run_for_user(lambda: run, given, sessions, jobs, draw, display)


def _require_shared(specification: Specification) -> None:
    """Refuses an environment that the processes of the sessions cannot make."""
    if specification.environment_id.startswith(LOCAL):
        raise UserError(
            "several sessions run in other processes, which cannot make this environment: let env "
            "be a class or a function of a module that they can import, or train one session"
        )


def _require_safe_main() -> None:
    if multiprocessing.current_process().name.startswith(WORKER):
        raise UserError(
            "a script that trains several sessions is read again by each of their processes: put "
            "what it does under `if __name__ == '__main__':`"
        )


def _run_for_user(
    make: Callable[[], Run],
    callbacks: list[Callback],
    sessions: int,
    jobs: int,
    draw: bool,
    display: bool | None,
) -> Run:
    """Runs the sessions of the run that `make` creates or opens; arguments are those of `train`.

    Raises:
        UserError: a callback cannot be sent to the process of a session.
    """
    away = [sessions > 1 and overrides(each, *SESSION_METHODS) for each in callbacks]
    here = [each for each, is_away in zip(callbacks, away, strict=True) if not is_away]
    carried = packed(compress(callbacks, away))
    with noticed(), in_place(), lenient():
        run = make()
        with showing_by_default(display, sessions) as shown:
            callback = Callbacks([shown, *here])
            executor = Processes(jobs, callback) if sessions > 1 else Inline(callback)
            run_sessions(run, executor, draw, carried)
        act_as_asked(f"{run.path}: was interrupted; to resume: rl resume {run.path}")
    _require_success(run)
    return run


def _require_success(run: Run) -> None:
    """Refuses a run of several sessions all of which failed."""
    outcomes = run.result["outcomes"]
    if all(each["status"] in ("failed", "diverged") for each in outcomes):
        reasons = dict.fromkeys(str(each.get("reason", each["status"])) for each in outcomes)
        raise SessionsFailed(f"{run.path}: all sessions failed: {'; '.join(reasons)}")
