"""`rl export`: writes a saved agent as a file that runs without the lab."""

from __future__ import annotations

import argparse

from rl.console.output import say
from rl.formatting import count_of
from rl.storage.paths import user_path
from rl.verbs.arguments import AGENT, Verbs, add_verb


def export(options: argparse.Namespace) -> int:
    """`rl export`: writes the greedy policy of a checkpoint in the chosen format."""
    from rl.export import export as write
    from rl.export import find_format, policy_of
    from rl.saved.policy_file import open_saved

    format = find_format(options.format)
    run = open_saved(options.agent, options.trial, options.session)
    name = run.specification.name
    policy = policy_of(run.player(options.checkpoint))
    file = options.output or user_path(f"{name}{format.suffix}")
    written = write(policy, format, run.title, file)
    say(f"input: {count_of(policy.size, 'number')}: {policy.sees}")
    say(f"output: {policy.gives}")
    say(f"written: {', '.join(map(str, written))}")
    return 0


def add(verbs: Verbs) -> None:
    """Adds `rl export` to the command line."""
    verb = add_verb(
        verbs, "export", export,
        "export a saved agent's greedy policy as a file that runs without the lab",
        "rl export lunarlander_dqn --format onnx --output lander.onnx",
        *AGENT, "--checkpoint",
    )  # fmt: skip
    verb.add_argument("--format", default="numpy",
                      help="numpy (an .npz and a script) or onnx (default numpy)")  # fmt: skip
    verb.add_argument("--output", metavar="FILE", type=user_path,
                      help="output file (default EXPERIMENT.npz or .onnx)")  # fmt: skip
