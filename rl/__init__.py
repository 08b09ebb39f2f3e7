"""A reinforcement-learning lab.

import rl

env = rl.make_env("LunarLander-v3")
run = rl.train("lunarlander_dqn", seed=0)
agent = rl.load(run.path)
action = agent.act(observation)
"""

from __future__ import annotations

from rl.distribution import __version__ as __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rl.errors import Diverged, SessionsFailed, UserError
    from rl.running.train import resume, train
    from rl.saved.evaluating import evaluate
    from rl.saved.policy_file import load
    from rl.saved.problem import make_env
    from rl.saved.run import Run
    from rl.session.callback import Callback

__all__ = ["Callback", "Diverged", "Run", "SessionsFailed", "UserError", "evaluate", "load",
           "make_env", "resume", "train"]  # fmt: skip

# Where each is; a name is loaded when it is first used.
_HOMES = {
    "Callback": "rl.session.callback",
    "Diverged": "rl.errors",
    "Run": "rl.saved.run",
    "SessionsFailed": "rl.errors",
    "UserError": "rl.errors",
    "evaluate": "rl.saved.evaluating",
    "load": "rl.saved.policy_file",
    "make_env": "rl.saved.problem",
    "resume": "rl.running.train",
    "train": "rl.running.train",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    from rl.console.hidden import told

    with told():
        globals()[name] = value = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
