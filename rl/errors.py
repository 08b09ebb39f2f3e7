"""The two ways in which a run can fail that are not bugs."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can put right; the message names the file, the key and the remedy."""

    exit_status = 2


class BrokenEnvironment(UserError):
    """An environment breaks a rule; what it has raised itself is the cause.

    Args:
        id: of the environment.
        found: which rule, and when.
    """

    def __init__(self, id: str, found: str) -> None:
        super().__init__(f"environment {id}: {found}; `rl doctor --env {id}` checks it")
        self.found = found


class Diverged(Exception):
    """A number that is not finite has appeared.

    Args:
        component: where it appeared, such as "loss" or "environment CartPole-v1".
        found: what was seen there.
    """

    exit_status = 3

    def __init__(self, component: str, found: str) -> None:
        super().__init__(f"{component}: {found}")
        self.component, self.found = component, found
