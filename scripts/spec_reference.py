"""Generates docs/specification.md, the reference of a specification, from the code.

    python scripts/spec_reference.py              # writes it
    python scripts/spec_reference.py --check      # status 1 if it is stale

The names are those of the tables of the lab and of the engine. The settings of a part, with their
types, defaults, bounds and meanings, are the fields of its `Settings`.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field
from pathlib import Path
from typing import Any

import common

import nn
from rl.agents import AGENTS, Agent
from rl.agents.replay_agent import ReplayAgent
from rl.analysis.metrics import STATISTICS
from rl.environments import make_env
from rl.environments.problems import known_problems
from rl.environments.settings import EnvironmentSettings
from rl.environments.spaces import Continuous, Discrete, spaces_of
from rl.memory import REPLAYS, ROLLOUTS
from rl.preprocessors import PREPROCESSORS
from rl.proposing import METHODS
from rl.search.optuna_methods import PRUNERS
from rl.search.settings import SearchSettings
from rl.search.space import Range
from rl.specification.blocks import NetworkSettings, Training
from rl.specification.build import build
from rl.specification.keys import KEYS
from rl.specification.parts import EXPLORERS
from rl.specification.settings import describe_type, settings_of, types_of
from rl.specification.specification import Specification

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "specification.md"

PAGE = """# A specification, setting by setting

<!-- Generated from the code by scripts/spec_reference.py; do not edit. -->

A specification defines a problem, an agent and their settings. It is a named entry of a JSON or
YAML file; [README.md](../README.md#a-specification) shows one, and
[the tutorial](tutorial.md#a-file-of-your-own) writes one. This page lists everything that it can
contain.

{blocks}

`problem` or `environment`, `agent` and `train` are required; everything else has a default. A block
that names a part holds the `name` and the part's settings side by side,
`{{name: Adam, learning_rate: 0.001}}`.
`--set`, searches and error messages refer to a setting by its dotted path,
`optimizer.learning_rate`. The `spec.yaml` of a run folder has every default filled in.

Names ignore case and underscores: `epsilon_greedy` is `EpsilonGreedy`. A whole number may be
written `1e5`, in a file, after `--set KEY=` and in options such as `--steps`. Scalars are those of
YAML 1.2: `3e-4` is a number, `1:30` and `2026-01-31` are texts, and `yes`, `no`, `on` and `off` are
true or false where a setting expects that, and texts elsewhere. A number such as `010` is refused.
*required* marks a setting without a default.

`rl spec NAME` prints an experiment of the lab to start from, and `rl spec ENVIRONMENT --agent NAME`
one with every setting explained; `--set` changes either. `rl spec --schema > schema.json` writes a
JSON Schema of all this, by which editors complete and check a file that begins with
`# yaml-language-server: $schema=schema.json`.

## problem

Any registered Gymnasium environment whose observations and actions an agent can take, as
[environments.md](environments.md) describes. The following have a threshold in
`rl/spec/problems.json`; other environments use the threshold and the time limit that they were
registered with.

{problems}

A return is the sum of an episode's rewards. A problem is solved at a mean return of at least this
threshold over 100 episodes. BipedalWalker carries state over from one episode to the next, so the
lab creates it anew for each (`renewed`); for other environments, a run detects this as it begins.

## environment

`problem: ID` is short for `environment: {{id: ID}}`. The block adds arguments, wrappers and limits:

```yaml
windy_lander:
  environment:
    id: LunarLander-v3
    kwargs: {{enable_wind: true}}
    wrappers: [TimeAwareObservation, {{name: ClipReward, min_reward: -10}}]
    max_episode_steps: 400
    solved: 180
  agent: {{name: DQN}}
  train: {{steps: 200000}}
```

{environment}

`--set environment.kwargs.enable_wind=true` also works on an experiment with `problem`, and a search
may vary `environment.kwargs.gravity`. The module of a `module:Class` is looked for beside the
specification, in the working folder, and where Python looks. Where the constructor or a wrapper
takes a function or a space, write its name, `module:function`; a list becomes an array where they
take one. The lab chooses the `render_mode` itself.

A wrapper must begin anew with each `reset`. One that keeps statistics over episodes, such as
`NormalizeObservation`, would be without them in evaluations and after a resumption; a run says so
as it begins. The [preprocessor](#preprocessor) `Normalize` saves its own.

## agent

{agents}

A block that the agent does not use is refused. An agent with several networks takes one `network`
and one `optimizer` block for all of them, or one for each role, such as
`network: {{actor: {{hidden: [64]}}, critic: {{hidden: [128]}}}}`. What stands beside the roles
holds for all of them, unless a role has its own: `--set optimizer.critic.learning_rate=0.0003`
changes the critic's rate alone.

{agent_parts}

## network

The problem and the agent determine the sizes of the input and the output.

{network}

A convolutional network is for observations that are pictures: arrays of height x width x channels,
of channels x height x width, or without channels. That of Mnih et al. (2015) is

    network:
      conv:
        - {{filters: 32, size: 8, stride: 4}}
        - {{filters: 64, size: 4, stride: 2}}
        - {{filters: 64, size: 3}}
      hidden: [512]

Bytes are divided by 255 as they enter. Without `conv` a picture is flattened, if it is small. A
layer of `conv` is a block:

{convolution}

{activations}

{initializers}

## optimizer

Default: Adam.

{optimizers}

### Schedules

A learning rate may be a block with the name of a schedule and its settings, such as
`{{name: cosine, start: 0.001, end: 0.0001, steps: 50000}}`. Its steps are the
optimizer's updates, not environment steps.

{schedules}

## memory

For agents that learn from a replay memory, {replaying}:

{replays}

For on-policy agents, {on_policy}:

{rollouts}

## exploration

For discrete actions:

{discrete_explorers}

For continuous actions:

{continuous_explorers}

Agents with a stochastic policy, {on_policy}, have no such block.

## preprocessor

The preprocessor transforms observations and rewards before the agent sees them. Default: Identity.

{preprocessors}

## train

{train}

## search

What `rl search` varies; [search.md](search.md) explains it with an example.

{search}

`space` is required. It maps the dotted path of a value, or the name of a block, to a list of values
or to a range:

{ranges}

- `method`: {methods}
- `pruner`: {pruners}
- `statistic`: {statistics}
"""

# The meaning of each block; everything else is in the code.
BLOCKS = {
    "description": "one line for `rl list`",
    "import": "a module that registers the environment when it is imported",
    "problem": "the [problem](#problem), an environment's id",
    "environment": "in its place an environment that is not just as registered: "
    "[environment](#environment)",
    "agent": "the learning algorithm: [agent](#agent)",
    "network": "its neural network: [network](#network)",
    "optimizer": "how gradients update the parameters: [optimizer](#optimizer)",
    "memory": "the experience to learn from: [memory](#memory)",
    "exploration": "how the agent explores: [exploration](#exploration)",
    "preprocessor": "what the agent sees: [preprocessor](#preprocessor)",
    "train": "the length of training, and evaluations: [train](#train)",
    "search": "what a search varies: [search](#search)",
}

Part = Callable[..., Any]


def reference() -> str:
    """The whole page."""
    return PAGE.format(
        blocks=blocks(),
        problems=problems(),
        environment=settings(EnvironmentSettings),
        agents=agents(),
        agent_parts=parts(AGENTS),
        network=settings(NetworkSettings),
        convolution=settings(nn.Convolution).removeprefix("Settings:\n\n"),
        activations=names("activation", nn.ACTIVATIONS),
        initializers=names("initializer", nn.INITIALIZERS),
        optimizers=parts(nn.OPTIMIZERS),
        schedules=parts(nn.SCHEDULES, level=4),
        replaying=listed(name for name, agent in AGENTS.items() if issubclass(agent, ReplayAgent)),
        on_policy=listed(
            name for name, agent in AGENTS.items() if not issubclass(agent, ReplayAgent)
        ),
        replays=parts(REPLAYS),
        rollouts=parts(ROLLOUTS),
        discrete_explorers=parts(EXPLORERS[Discrete]),
        continuous_explorers=parts(EXPLORERS[Continuous]),
        preprocessors=parts(PREPROCESSORS),
        train=settings(Training),
        search=settings(SearchSettings),
        ranges=settings(Range).removeprefix("Settings:\n\n"),
        methods=listed(METHODS),
        pruners=listed(PRUNERS),
        statistics=listed(STATISTICS),
    )  # fmt: skip


def blocks() -> str:
    """A row for each key of an experiment."""
    rows = (
        (f"`{key}`", "a block" if kind is dict else "a text", BLOCKS[key])
        for key, kind in KEYS.items()
    )
    return table(("key", "kind", "meaning"), rows)


def problems() -> str:
    """A row for each entry of problems.json."""
    rows = []
    for problem in known_problems().values():
        env = make_env(problem.id)
        spaces = spaces_of(env, problem.id)
        env.close()
        rows.append((
            problem.id, f"{spaces.observation_size} numbers", actions(spaces.actions),
            f"{problem.solved:g}", f"{problem.horizon} steps", "yes" if problem.renewed else "",
        ))  # fmt: skip
    head = ("problem", "observation", "action", "solved at", "time limit", "`renewed`")
    return table(head, rows)


def actions(found: Any) -> str:
    """The actions of an environment."""
    return f"one of {found.count}" if isinstance(found, Discrete) else f"{found.size} from -1 to 1"


def agents() -> str:
    """A row for each agent, with the default parts of its blocks."""
    rows = []
    for name, agent in AGENTS.items():
        kinds = ", ".join(kind.__name__.lower() for kind in agent.kinds)
        link = f"[{name}](#{name.lower()})"
        rows.append((link, kinds, listed(agent.roles), defaults(name, agent)))
    return table(("agent", "actions", "networks", "defaults"), rows)


def defaults(name: str, agent: type[Agent]) -> str:
    """The parts of the blocks that a specification leaves out."""
    problem = "CartPole-v1" if Discrete in agent.kinds else "Pendulum-v1"
    values = {"problem": problem, "agent": {"name": name}, "train": {"steps": 10_000}}
    made = build(Specification(name, "", values), seed=0).specification.values
    parts: dict[str, str] = {}
    for key in ("memory", "exploration"):
        if key in made:
            parts[key] = made[key]["name"]
    for key, each in agent.network_defaults.items():
        parts[f"network.{key}"] = json.dumps(each)
    return ", ".join(f"`{key}`: {each}" for key, each in parts.items())


def parts(found: Mapping[str, Part], level: int = 3) -> str:
    """A section for each part of a table, under its name."""
    listed_at: dict[str, str] = {}  # settings, and the first part that has them
    sections = []
    for name, part in found.items():
        text = settings(part)
        same = listed_at.setdefault(text, name)
        if same != name and settings_of(part):
            text = f"Its settings are those of [{same}](#{same.lower()})."
        sections.append(f"{'#' * level} {name}\n\n{prose(part)}\n\nIn {place(part)}. {text}")
    return "\n\n".join(sections)


def settings(part: Part) -> str:
    """A row for each setting of a part."""
    known = settings_of(part)
    if not known:
        return "It has no settings."
    rows = [
        (f"`{name}`", kind(field, types_of(part)[name]), default(field), meaning(field))
        for name, field in known.items()
    ]
    return "Settings:\n\n" + table(("setting", "type", "default", "meaning"), rows)


def kind(field: Field[Any], annotation: Any) -> str:
    """The type and the bounds of a setting."""
    bounds = field.metadata["bounds"].describe()
    return describe_type(annotation) + (f", {bounds}" if bounds else "")


def default(field: Field[Any]) -> str:
    """A setting's default as a file has it."""
    return "*required*" if field.default is MISSING else f"`{json.dumps(field.default)}`"


def meaning(field: Field[Any]) -> str:
    """The meaning of a setting, with a full stop if it is several sentences."""
    text = str(field.metadata["meaning"])
    return f"{text}." if re.search(r"[a-z)]\. [A-Z]", text) else text


def prose(part: Part) -> str:
    """A docstring up to its sections."""
    return re.split(r"\n\n(?:Args|Attributes|Raises):\n", inspect.cleandoc(part.__doc__ or ""))[0]


def place(part: Any) -> str:
    """A link to the file that defines a part."""
    path = Path(inspect.getfile(part)).relative_to(ROOT).as_posix()
    return f"[`{path}`](../{path}) `{part.__name__}`"


def names(kind: str, found: Mapping[str, Part]) -> str:
    """A row for each name, with the first paragraph of its docstring."""
    rows = ((f"`{name}`", prose(part).split("\n\n")[0]) for name, part in found.items())
    return table((kind, "what it is"), rows)


def listed(found: Iterable[str]) -> str:
    """Names, as code."""
    return ", ".join(f"`{name}`" for name in found)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table whose cells may have bars and line breaks."""
    escaped = ([cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows)
    return common.table(head, escaped, aligned=False)


def main() -> int:
    """Writes the page, or compares it; the status is 1 if it is stale."""
    parser = common.Parser(description="The reference of a specification.")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if it is stale")
    if not parser.parse_args().check:
        with common.written(REFERENCE) as file:
            file.write(reference().encode())
    elif not REFERENCE.exists() or REFERENCE.read_text() != reference():
        print(f"{REFERENCE} is stale: python scripts/spec_reference.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
