"""Command-line options that several verbs share, and the executors of their sessions."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from nn.names import nearest
from rl.console.output import say
from rl.errors import UserError, brief
from rl.storage.notes import tag_of
from rl.storage.paths import unquoted, user_path
from rl.storage.scalars import near_number, scalar

if TYPE_CHECKING:
    from rl.running.executors import Executor
    from rl.session.callback import Callback
    from rl.specification.specification import Specification
    from rl.storage.run_folder import TrialFolder

FAILED = 1
INTERRUPTED = 130
A_RUN = "a run folder, or the name of an experiment for its latest run"
AN_AGENT = ("a run folder, a file such as best.npz, or an experiment's name for its latest run, or "
            "else for the agent that comes with the lab")  # fmt: skip

Verbs = Any  # what argparse's `add_subparsers` gives, a private class


def positive(text: str) -> int:
    """Parses a whole number of at least 1."""
    if (number := _whole(text)) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def factor(text: str) -> float:
    """Parses a number greater than 0."""
    number = _number(text)
    if number is None or not 0.0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number greater than 0, not {_shown(text)}")
    return float(number)


def natural(text: str) -> int:
    """Parses a whole number of at least 0."""
    if (number := _whole(text)) < 0:
        raise argparse.ArgumentTypeError(f"must not be negative, but is {number}")
    return number


def checkpoint(text: str) -> str:
    """Parses the name of a checkpoint; a step may be written as the lab prints it: 5,000."""
    near = near_number(text) or ""
    return near if near.isdecimal() else text


def tags_in(text: str) -> list[str]:
    """Parses one tag, or several with commas between them."""
    try:
        return [tag_of(each) for each in text.split(",")]
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _whole(text: str) -> int:
    number = _number(text)
    if isinstance(number, float) and not number.is_integer():
        number = None
    if number is None:
        raise argparse.ArgumentTypeError(f"must be a whole number, not {_shown(text)}")
    return int(number)


def _number(text: str) -> int | float | None:
    """The number that a specification, or Python, reads from the text; None if it is no number."""
    for read in (int, scalar):
        with suppress(ValueError, OverflowError):
            number = read(unquoted(text))
            if isinstance(number, (int, float)) and not isinstance(number, bool):
                return number
    return None


def _shown(text: str) -> str:
    """A text that is no number, with the number that was probably meant, if there is one."""
    near = near_number(text)
    return f"{brief(text)}; write {near}" if near and _number(text) is None else brief(text)


# The options that several verbs have.
SHARED: dict[str, dict[str, Any]] = {
    "run": {"metavar": "RUN", "help": A_RUN},
    "agent": {"metavar": "RUN", "help": AN_AGENT},
    "--set": {"metavar": "KEY=VALUE", "nargs": "+", "action": "extend", "default": [],
              "help": "override settings by their dotted paths"},
    "--steps": {"type": positive, "metavar": "N",
                "help": "environment steps in all (train.steps)"},
    "--episodes": {"type": positive, "metavar": "N",
                   "help": "training episodes in all (train.episodes)"},
    "--spec": {"metavar": "FILE", "type": user_path,
               "help": "a JSON or YAML file with your own experiments"},
    "--agent": {"metavar": "AGENT", "help": "agent for an environment (default: by its actions)"},
    "--env-kwargs": {"metavar": "KEY=VALUE", "nargs": "+", "action": "extend", "default": [],
                     "help": "arguments of the environment's constructor"},
    "--output": {"metavar": "DIR", "type": user_path,
                 "help": "run folder (default runs/NAME/TIMESTAMP)"},
    "--jobs": {"type": positive, "help": "parallel sessions (default: one per core)"},
    "--executor": {"choices": ("local", "ray"), "default": "local",
                   "help": "run sessions in local processes or on Ray"},
    "--ray-address": {"metavar": "HOST:PORT",
                      "help": "address of a Ray cluster (default: RAY_ADDRESS, or start one here)"},
    "--ray-install": {"action": "store_true",
                      "help": "bring this lab, and the specification's modules, to Ray's nodes"},
    "--ray-any-node": {"action": "store_true",
                       "help": "use nodes with another lab, Python, NumPy or BLAS kernel too"},
    "--quiet": {"action": "store_true", "help": "print nothing unless it fails"},
    "--session": {"type": natural, "default": 0, "help": "session number (default 0)"},
    "--trial": {"type": natural, "help": "trial number of a search (default: the best)"},
    "--checkpoint": {"metavar": "NAME", "type": checkpoint,
                     "help": "best, last or a stage's step (default: best available)"},
    "--seed": {"type": natural, "default": 0, "help": "random seed (default 0)"},
    "--saliency": {"action": "store_true",
                   "help": "show in red which pixels the value of the greedy action depends on"},
    "--tag": {"metavar": "TAG", "type": tags_in, "action": "extend", "default": [],
              "help": "add a tag, to find the run by; may be repeated"},
    "--no-report": {"dest": "report", "action": "store_false",
                    "help": "write no report.html at the end"},
    "--tensorboard": {"action": "store_true",
                      "help": "write event files for TensorBoard into the run folder"},
    "--wandb": {"action": "store_true",
                "help": "log each session to Weights & Biases as a run"},
}  # fmt: skip
ENVIRONMENT = ("--agent", "--env-kwargs")
RAY = ("--executor", "--ray-address", "--ray-install", "--ray-any-node")
TRAINING = ("--set", "--steps", "--episodes", "--spec", *ENVIRONMENT, "--output", "--jobs",
            *RAY, "--quiet", "--no-report")  # fmt: skip
LOGGING = ("--tensorboard", "--wandb")
AGENT = ("agent", "--session", "--trial")  # the saved agent of a run's session, or of a file


def add_verb(
    verbs: Verbs, name: str, call: Any, summary: str, example: str, *shared: str
) -> argparse.ArgumentParser:
    """Adds the parser of `rl NAME`, which is answered by `call(options) -> exit status`.

    Args:
        verbs: of the command line.
        name: of the verb.
        call: the function that answers it.
        summary: one line without a full stop.
        example: of a command.
        shared: the options of `SHARED` that it has.
    """
    verb: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example: {example}",
    )
    verb.set_defaults(call=call, executor="local")
    for option in shared:
        verb.add_argument(option, **SHARED[option])
    return verb


def specification_in(
    options: argparse.Namespace, more: Sequence[str] = (), like: Specification | None = None
) -> Specification:
    """The experiment, or the environment with every default, that NAME stands for.

    Args:
        options: of a verb with the options of `TRAINING`.
        more: overrides beside those of `--set` and `--steps`.
        like: whose settings an environment takes in place of the defaults.
    """
    from rl.specification.by_name import specification_of

    given = [*overrides(options), *more]
    return specification_of(
        options.name, options.spec, given, options.agent, options.env_kwargs, like
    )


def overrides(options: argparse.Namespace) -> list[str]:
    """The overrides of `--set`, `--steps` and `--episodes`."""
    given = {"steps": options.steps, "episodes": options.episodes}
    return [*options.set, *(f"train.{name}={count}" for name, count in given.items() if count)]


def refuse_unknown(
    unknown: Sequence[str], verb: str, verbs: Mapping[str, argparse.ArgumentParser]
) -> NoReturn:
    """Refuses arguments that a verb does not know, suggesting what was meant.

    Raises:
        UserError: always.
    """
    known = {each: list(parser._option_string_actions) for each, parser in verbs.items()}
    options = known[verb]
    name, equals, value = unknown[0].partition("=")
    if not equals and unknown[1:] and name.startswith("--"):
        value = unknown[1]
    path = _setting(name.lstrip("-")) if equals or name.startswith("--") else None
    if path and "--set" in options:
        remedy = f"; it is a setting: --set {path}={value or 'VALUE'}"
    elif others := [f"`rl {each}`" for each in known if name in known[each]]:
        remedy = f"; {name} is an option of {', '.join(others)}"
    else:
        near = nearest(name, options)
        remedy = f"; did you mean {near!r}?" if near else f"; see `rl {verb} --help`"
    raise UserError(f"unrecognized arguments: {' '.join(unknown)}{remedy}")


def _setting(name: str) -> str | None:
    """The dotted path of a setting that was named with or without its block."""
    from rl.specification.keys import KEYS
    from rl.specification.whereabouts import paths_of

    if name.partition(".")[0] in KEYS:
        return name
    return next(iter(paths_of(name)), None)


def check_only(options: argparse.Namespace, kind: str, jobs: bool = False) -> None:
    """Refuses what does not go with --only-session or --only-trial.

    Args:
        options: of the verb.
        kind: "session" or "trial".
        jobs: whether --jobs goes with it.

    Raises:
        UserError: the message names the option.
    """
    if options.output is None:
        raise UserError(f"--only-{kind} needs --output RUN, the folder that processes share")
    for option, given in (("--jobs", options.jobs and not jobs),
                          ("--ray-address", options.ray_address),
                          ("--executor ray", options.executor == "ray")):  # fmt: skip
        if given:
            raise UserError(f"--only-{kind} is one process on this machine; leave out {option}")


def check_executor(options: argparse.Namespace) -> None:
    """Refuses the options of a Ray cluster without the Ray executor."""
    for option in RAY[1:]:
        if getattr(options, option[2:].replace("-", "_")) and options.executor != "ray":
            raise UserError(f"{option} needs --executor ray")


def processes(
    options: argparse.Namespace, callback: Callback, specification: Specification | None = None
) -> Executor:
    """The executor that was asked for: local processes or a Ray cluster.

    Args:
        options: of the verb.
        callback: is called as sessions run.
        specification: whose modules go to the nodes of a cluster with --ray-install.
    """
    if options.executor == "ray":
        from rl.running.ray_executor import RayExecutor
        from rl.specification.environment import module_files

        return RayExecutor(
            options.jobs,
            callback,
            options.ray_address,
            options.ray_install,
            module_files(specification) if options.ray_install and specification else (),
            options.ray_any_node,
        )
    from rl.running.executors import Processes

    return Processes(options.jobs or cores(), callback)


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def warn_of_differences(manifest: Mapping[str, Any], trial: TrialFolder | None = None) -> None:
    """Prints how this machine differs from those that made a run, and the sessions of a trial."""
    from rl.storage.manifest import differences

    sessions = trial.sessions() if trial else ()
    if found := differences(manifest, {each.number: each.machines for each in sessions}):
        say(f"results may differ from the run's in the last digits: {'; '.join(found)}")
