"""Callbacks: objects that are called as sessions run."""

from __future__ import annotations

import inspect
import os
import pickle
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from nn.names import nearest
from nn.typing import State
from rl.console.signals import is_asked
from rl.errors import UserError, brief

if TYPE_CHECKING:
    from rl.environments import Episode, Transitions
    from rl.session.job import Job, Outcome
    from rl.session.player import Player
    from rl.session.progress import Progress
    from rl.session.session import Session


class Callback:
    """Is called as sessions run; a subclass overrides the methods that it needs.

    Displays, loggers and searches are callbacks, and so is what a user passes to `rl.train`.

    The session that `started`, `stepped` and `episode_ended` receive is what a callback acts on:
    `session.log(name=value)` logs a metric, and `session.stop("why")` ends the learning after the
    step under way. A callback that overrides none of these three is called in the process that
    asked for the sessions, wherever these run. One that does override one goes with the sessions:
    where several run in processes of their own, each has a copy, whose methods are called there.

    A callback cannot change what is learned as long as it leaves the session's parts alone. What
    it raises ends the run, once all is saved.
    """

    def started(self, job: Job, session: Session) -> None:
        """Called before the first step of a session, or the first after it was resumed."""

    def stepped(self, job: Job, session: Session, transitions: Transitions) -> None:
        """Called after each step of all lanes, and the updates that were due.

        Args:
            job: whose session it is.
            session: that has made the step.
            transitions: of the step; the next one overwrites them.
        """

    def episode_ended(self, job: Job, session: Session, episode: Episode) -> None:
        """Called after each training episode."""

    def progressed(self, job: Job, progress: Progress) -> None:
        """Called a few times a second for each session that is running."""

    def evaluated(self, job: Job, progress: Progress, player: Player | None) -> None:
        """Called after each evaluation.

        Args:
            job: whose session it is.
            progress: how far the session is; `progress.evaluation` is the evaluation.
            player: the agent as it is now; None if the session runs in another process.
        """

    def restarted(self, job: Job, reason: str) -> None:
        """Called before a session goes on in another process, since the one before was lost."""
        self.noted(f"seed {job.seed} goes on in a new process: {reason}")

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Called once a session has ended, or was stopped before it began."""

    def noted(self, text: str) -> None:
        """Called with anything else that a user wants to know."""

    def state(self) -> State:
        """What a resumed session needs of it, as a checkpoint takes it: numbers, texts, arrays."""
        return {}

    def restore(self, state: State) -> None:
        """Takes over what `state` gave, before `started`, where a session is resumed."""


SESSION_METHODS = ("started", "stepped", "episode_ended")  # that receive the session


class Callbacks(Callback):
    """Several callbacks, called in their order.

    Args:
        callbacks: the callbacks.
        failed: is told what one raises, which is then called no more; by default it is raised.
    """

    def __init__(
        self,
        callbacks: Iterable[Callback],
        failed: Callable[[BaseException], None] | None = None,
    ) -> None:
        self.callbacks, self._failed = list(callbacks), failed

    def _each(self, call: Callable[[Callback], None]) -> None:
        for each in list(self.callbacks):
            try:
                call(each)
            except BaseException as error:
                if self._failed is None or is_asked(error):
                    raise
                self.callbacks.remove(each)
                self._failed(error)

    def started(self, job: Job, session: Session) -> None:
        self._each(lambda each: each.started(job, session))

    def stepped(self, job: Job, session: Session, transitions: Transitions) -> None:
        self._each(lambda each: each.stepped(job, session, transitions))

    def episode_ended(self, job: Job, session: Session, episode: Episode) -> None:
        self._each(lambda each: each.episode_ended(job, session, episode))

    def progressed(self, job: Job, progress: Progress) -> None:
        self._each(lambda each: each.progressed(job, progress))

    def evaluated(self, job: Job, progress: Progress, player: Player | None) -> None:
        self._each(lambda each: each.evaluated(job, progress, player))

    def restarted(self, job: Job, reason: str) -> None:
        self._each(lambda each: each.restarted(job, reason))

    def ended(self, job: Job, outcome: Outcome) -> None:
        self._each(lambda each: each.ended(job, outcome))

    def noted(self, text: str) -> None:
        self._each(lambda each: each.noted(text))


def overrides(callback: Callback, *names: str) -> bool:
    """Whether a callback, or one of several, has a method of its own under one of the names."""
    if isinstance(callback, Callbacks):
        return any(overrides(each, *names) for each in callback.callbacks)
    return any(
        getattr(getattr(callback, name), "__func__", None) is not getattr(Callback, name)
        for name in names
    )


def saving(callback: Callback) -> dict[str, Callback]:
    """The callbacks that have a state of their own, each by a name."""
    if isinstance(callback, Callbacks):
        found: dict[str, Callback] = {}
        for number, each in enumerate(callback.callbacks):
            for key, value in saving(each).items():
                found[key if key not in found else f"{key} {number}"] = value
        return found
    return {type(callback).__qualname__: callback} if overrides(callback, "state") else {}


def callbacks_of(given: Callback | Iterable[Callback] | None) -> list[Callback]:
    """The callbacks that a user has given, one or several, or none.

    Raises:
        UserError: one is no callback.
    """
    if isinstance(given, Callback) or not isinstance(given, Iterable):
        given = [] if given is None else [given]
    found: list[Any] = list(given)
    for each in found:
        if isinstance(each, type) and issubclass(each, Callback):
            raise UserError(f"callbacks: {each.__name__} is a class; write {each.__name__}()")
        if not isinstance(each, Callback):
            raise UserError(f"callbacks: {brief(each)} is no rl.Callback; derive its class from it")
        _refuse_misspelled(type(each))
    return found


def _refuse_misspelled(kind: type[Callback]) -> None:
    """Refuses a method that looks like one of a callback's and would never be called.

    It is one called `on_...`, or one that takes the same number of arguments, a job among them. A
    class that has the method of the right name may call its others as it likes.

    Raises:
        UserError: there is one; the message says which was meant.
    """
    known = {name: each for name, each in vars(Callback).items() if not name.startswith("_")}
    for name, method in inspect.getmembers(kind, inspect.isfunction):
        bare = name.lstrip("_")
        meant = None if name in known else nearest(bare.removeprefix("on_"), known)
        if meant is None or getattr(kind, meant) is not known[meant]:
            continue
        if bare.startswith("on_") or _takes_as_many(method, known[meant]):
            raise UserError(
                f"callbacks: {kind.__name__}.{name} is never called; did you mean {meant!r}?"
            )


def _takes_as_many(method: Callable[..., Any], known: Callable[..., Any]) -> bool:
    """Whether a method can be called as a known one, which takes a job and more."""
    own, wanted = (inspect.signature(each).parameters.values() for each in (method, known))
    takes_any = any(each.kind is each.VAR_POSITIONAL for each in own)
    return len(wanted) > 2 and (takes_any or len(own) == len(wanted))


def packed(callbacks: Iterable[Callback]) -> bytes:
    """Callbacks as they go to the processes of sessions.

    Raises:
        UserError: one cannot go there.
    """
    callbacks, main = list(callbacks), getattr(sys.modules["__main__"], "__file__", None)
    for each in callbacks:
        name = type(each).__name__
        remedy = "put its class into a module and keep nothing open in it, or train one session"
        if type(each).__module__ == "__main__" and not (main and os.path.exists(main)):
            raise UserError(f"callbacks: other processes cannot find the class {name}; {remedy}")
        try:
            pickle.dumps(each)
        except Exception as error:  # whatever its `__reduce__` raises
            raise UserError(
                f"callbacks: {name} cannot go to the processes of the sessions ({error}); {remedy}"
            ) from None
    return pickle.dumps(callbacks) if callbacks else b""


def unpacked(content: bytes) -> list[Callback]:
    """The callbacks of `packed`."""
    return list(pickle.loads(content)) if content else []
