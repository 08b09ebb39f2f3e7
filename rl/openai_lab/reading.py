"""Reads the specifications of OpenAI Lab (2017), as they are, into this lab's form."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nn.names import suggestion
from rl.errors import brief
from rl.openai_lab.tables import (
    ABSENT,
    ACTIVATIONS,
    BARE,
    COMPONENTS,
    CONV,
    DECAY,
    ENVIRONMENTS,
    GIVES_UP_AFTER,
    MEAN_OF,
    MOST_KEPT,
    NOISES,
    RECOMPILED,
    REFUSED,
    Component,
    Known,
)
from rl.storage.files import read_json

_KEYS = ("problem", *COMPONENTS, "param", "param_range")
_ORDER = ("description", "import", "environment", "agent", "network", "optimizer", "memory",
          "exploration", "preprocessor", "train", "search")  # fmt: skip
APPROXIMATES = "approximates OpenAI Lab"  # begins a note
PARTS = "rl.openai_lab.parts"  # the module that registers them


class Refused(Exception):
    """An experiment cannot be built; the message says why."""


@dataclass
class Translation:
    """An experiment of OpenAI Lab in this lab's form.

    Args:
        values: the blocks by their key.
        notes: what is approximated, by dotted path.
        refusal: why it cannot be built; empty if it can be.
        warnings: what is perhaps not meant, though the original takes it.
    """

    values: dict[str, Any]
    notes: dict[str, str] = field(default_factory=dict)
    refusal: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def note(self) -> str:
        """All notes and warnings on one line, for the start of a run; empty without any."""
        said = "; ".join(f"{path}: {note}" for path, note in self.notes.items())
        return "; ".join([*([f"{APPROXIMATES}: {said}"] if said else []), *self.warnings])

    def put(self, path: str, value: Any) -> None:
        """Puts a value at its dotted path."""
        *blocks, key = path.split(".")
        values = self.values
        for block in blocks:
            values = values.setdefault(block, {})
        values[key] = copy.deepcopy(value)


def is_openai_lab(values: Any) -> bool:
    """Whether a file holds specifications of OpenAI Lab, which name a "Policy" by that key."""
    return isinstance(values, Mapping) and any(
        isinstance(each, Mapping) and {"Agent", "Policy"} <= each.keys() for each in values.values()
    )


def translated(path: Path, values: Mapping[str, Any]) -> dict[str, Translation]:
    """Every experiment of a file, by name.

    Args:
        path: of the file; its problems.json and component_locks.json, if there are any, are
            beside it.
        values: of the file.

    Raises:
        UserError: one of the files beside it cannot be read.
    """
    problems = read_json(path.parent / "problems.json")
    locks = read_json(path.parent / "component_locks.json")
    locks = {name: lock for name, lock in locks.items() if _is_lock(lock)}
    return {name: _translate(each, problems, locks) for name, each in values.items()}


def _translate(given: Any, problems: Mapping[str, Any], locks: Mapping[str, Any]) -> Translation:
    made = Translation({})
    try:
        _check_form(given)
        problem, known = _problem(given, problems, made)
        components = _components(given)
        _put_components(given, components, made)
        _put_params(given, components, known, made)
        _fit(given, known, problem, made)
        _put_search(given, components, made)
    except Refused as error:
        return Translation(made.values, {}, str(error))
    if violated := [name for name, lock in locks.items() if _violates(given, lock)]:
        made.warnings.append(f"violates OpenAI Lab's component locks {', '.join(violated)}")
    made.values = {key: made.values[key] for key in _ORDER if key in made.values}
    return made


def _check_form(given: Any) -> None:
    if not isinstance(given, Mapping):
        raise Refused(f"is {brief(given)}, and no specification")
    for key in ("problem", *COMPONENTS):
        if not isinstance(given.get(key, ABSENT.get(key)), str):
            raise Refused(f"{key} must be a name, not {brief(given.get(key))}")
    for key in given:
        if key not in (*_KEYS, "experiment_name"):
            raise Refused(f"{key} is an unknown key{suggestion(key, _KEYS)}")
    for key in ("param", "param_range"):
        if not isinstance(given.get(key, {}), Mapping):
            raise Refused(f"{key} must be a block of settings, not {brief(given[key])}")
    for key, names in REFUSED.items():
        if given.get(key) in names:
            raise Refused(f"{key} {given[key]}: {names[given[key]]}")


def _problem(
    given: Mapping[str, Any], problems: Mapping[str, Any], made: Translation
) -> tuple[Mapping[str, Any], Known]:
    """The problem, as problems.json has it, and what is known of its environment."""
    name = given["problem"]
    problem = problems.get(name, {})
    if not isinstance(problem, Mapping):
        raise Refused(f"problem {name}: is {brief(problem)} in problems.json, and no block")
    gym = problem.get("GYM_ENV_NAME", name)
    if not isinstance(gym, str):
        raise Refused(f"problem {name}: GYM_ENV_NAME must be a name, not {brief(gym)}")
    if gym in REFUSED["problem"]:
        raise Refused(f"problem {name}: {REFUSED['problem'][gym]}")
    known = ENVIRONMENTS.get(gym, Known(gym, 1000, 0))
    episodes = problem.get("MAX_EPISODES", known.episodes)
    if not isinstance(episodes, int) or episodes < 1:
        remedy = "put OpenAI Lab's problems.json, which has its MAX_EPISODES, beside the file"
        raise Refused(f"problem {name}: is unknown; {remedy}")
    made.values.update(description=f"OpenAI Lab: {given['Agent']} on {name}", **{"import": PARTS})
    made.put("environment.id", known.id)
    for path, value in known.puts.items():
        made.put(path, value)
    if known.differs:
        made.notes["environment.id"] = f"{known.id} for {gym}, {known.differs}"
    made.put("train.episodes", episodes)
    made.put("train.evaluate_every", None)
    made.put("train.stop_when_solved", False)
    made.put("train.give_up_after", GIVES_UP_AFTER)
    solved = problem.get("SOLVED_MEAN_REWARD")
    if solved is not None:
        made.put("environment.solved", solved)
    if solved is not None or not problem:
        made.put("train.stop_at_training_mean", True)
    if (count := problem.get("REWARD_MEAN_LEN", MEAN_OF)) != MEAN_OF:
        made.notes["train.stop_at_training_mean"] = f"the mean of {MEAN_OF} episodes, not {count}"
    if not problem:
        made.notes["train.episodes"] = (
            f"{episodes}, and this lab's threshold, for there is no problems.json beside the file"
        )
    return problem, known


def _components(given: Mapping[str, Any]) -> dict[str, Component]:
    """The component of each kind; those that the agent needs."""
    found = {}
    for kind, table in COMPONENTS.items():
        name = given.get(kind, ABSENT.get(kind))
        if name not in table:
            raise Refused(f"{kind} {brief(name)} is unknown{suggestion(str(name), table)}")
        found[kind] = table[name]
    if given["Policy"] not in found["Agent"].policies:
        fitting = ", ".join(found["Agent"].policies)
        raise Refused(
            f"Policy {given['Policy']} does not go with {given['Agent']}; these do: {fitting}"
        )
    if given["Agent"] in BARE:  # what else is named has no effect, as in the original
        return {kind: found[kind] for kind in ("Agent", "PreProcessor", "HyperOptimizer")}
    if given["Agent"] == "DDPG":
        del found["Optimizer"]  # it has Adam, whatever is named
    if "memory.capacity" in found["Agent"].puts:  # the latest transition alone is learned from
        found["Memory"] = replace(found["Memory"], keys={}, puts={}, notes=found["Memory"].alone)
    return found


def _put_components(
    given: Mapping[str, Any], components: Mapping[str, Component], made: Translation
) -> None:
    for kind in ("Memory", "Policy", "Optimizer", "PreProcessor", "Agent"):
        if kind in components:
            for path, value in components[kind].puts.items():
                made.put(path, value)
            made.notes.update(components[kind].notes)
    by_both = given.get("Policy", "").startswith("DoubleDQN")
    if given["Agent"] in ("DoubleDQN", "DoubleConvDQN") and not by_both:
        made.put("agent.acts_on_both", False)
    if given["Agent"] == "FreezeDQN" and by_both:
        made.put("agent.name", "FreezeDQNOfBoth_2017")


def _put_params(
    given: Mapping[str, Any], components: Mapping[str, Component], known: Known, made: Translation
) -> None:
    """Puts each key of `param` at its path."""
    params, decays = dict(given.get("param", {})), _decays(given, components)
    convolves = components["Agent"].keys.get("hidden_layers") == CONV
    if "network" in made.values and params.get("auto_architecture"):
        sides = (84, 84) if given.get("PreProcessor") == "Atari" else known.sides
        params["hidden_layers"] = _doubled(params, sides) if convolves else _halved(params)
    elif convolves:
        params.setdefault("hidden_layers", None)  # which is refused
    if decays:
        rate = made.values["optimizer"]["learning_rate"]
        made.put("optimizer.learning_rate", {"name": "inverse_time", "start": rate, "decay": 0.0})
    for key, value in params.items():
        for path in _paths(key, components, decays):
            if value is not None or path == CONV:
                made.put(path, _value(key, value, path))
    read = {key for table in COMPONENTS.values() for each in table.values() for key in each.keys}
    if strange := [key for key in params if key not in {*read, *_ELSEWHERE}]:
        made.warnings.append(f"param {', '.join(strange)}: not used, as in OpenAI Lab")


_ELSEWHERE = ("max_evals", "auto_architecture", "num_hidden_layers", "first_hidden_layer_size",
              "num_initial_channels")  # fmt: skip


def _halved(params: Mapping[str, Any]) -> list[int]:
    """The hidden layers of `auto_architecture`: each has half the units of the one before."""
    size, count = params.get("first_hidden_layer_size", 256), params.get("num_hidden_layers", 3)
    if not isinstance(size, int) or not isinstance(count, int):
        raise Refused("auto_architecture: first_hidden_layer_size and num_hidden_layers must be "
                      "whole numbers")  # fmt: skip
    return [size // 2**layer for layer in range(max(count, 1))]


def _doubled(params: Mapping[str, Any], sides: tuple[int, ...]) -> list[list[Any]]:
    """The convolutions of `auto_architecture`: each has twice the channels of the one before.

    Layers end where the original took a side for 5 or less.
    """
    channels, count = params.get("num_initial_channels", 16), params.get("num_hidden_layers", 3)
    if not isinstance(channels, int) or not isinstance(count, int):
        raise Refused("auto_architecture: num_initial_channels and num_hidden_layers must be "
                      "whole numbers")  # fmt: skip
    if not sides:
        raise Refused("auto_architecture: the size of the problem's pictures is unknown")
    layers = [[channels, 4, 4, [2, 2]]]
    for number in range(1, count):
        sides = tuple(math.ceil((side - 5) / 2) + 1 for side in sides)
        if min(sides) <= 5:
            break
        layers.append([channels * 2**number, 4, 4, [2, 2]])
    return layers


def _filters(given: Any) -> list[dict[str, int]]:
    """Hidden layers [filters, rows, columns, [stride, stride]] as the block `conv`."""
    try:
        layers = [(int(n), int(rows), int(columns), int(down), int(across))
                  for n, rows, columns, (down, across) in given]  # fmt: skip
    except (TypeError, ValueError):
        layers = []
    if not layers:
        wanted = "must be convolutions, [[FILTERS, ROWS, COLUMNS, [STRIDE, STRIDE]], ...]"
        raise Refused(f"hidden_layers {wanted}, not {brief(given)}")
    for n, rows, columns, down, across in layers:
        if rows != columns or down != across:
            raise Refused(f"hidden_layers {brief([n, rows, columns, [down, across]])}: this lab's "
                          "kernels are square, with one stride")  # fmt: skip
    return [{"filters": n, "size": size, "stride": by} for n, size, _, by, _ in layers]


def _decays(given: Mapping[str, Any], components: Mapping[str, Component]) -> bool:
    """Whether the learning rate falls with each update."""
    decays = given.get("param", {}).get("decay") or "decay" in given.get("param_range", {})
    return bool(decays) and "Optimizer" in components


def _paths(key: str, components: Mapping[str, Component], decays: bool) -> list[str]:
    """The paths that a key of `param` is put at."""
    found = [each.keys[key] for each in components.values() if key in each.keys]
    if decays and key == "lr":
        found = [f"{path}.start" for path in found]
    return [path for path in found if decays or path != DECAY]


def _value(key: str, value: Any, path: str) -> Any:
    """A value of `param` as the setting at `path` has it."""
    if path == CONV:
        return _filters(value)
    if key in ("hidden_layers_activation", "output_layer_activation"):
        if not isinstance(value, str) or value not in ACTIVATIONS:
            raise Refused(f"{key} {brief(value)} is unknown{suggestion(str(value), ACTIVATIONS)}")
        return ACTIVATIONS[value]
    if key == "hidden_layers":
        return value or [4]
    return [value] if key == "resolution" else value


def _fit(
    given: Mapping[str, Any], known: Known, problem: Mapping[str, Any], made: Translation
) -> None:
    """What follows from several components together, or from the problem."""
    agent, policy, params = given["Agent"], given["Policy"], given.get("param", {})
    steps = made.values["train"]["episodes"] * known.limit
    if made.values.get("memory", {}).get("capacity") == MOST_KEPT:
        made.put("memory.capacity", min(MOST_KEPT, steps))
        if steps > MOST_KEPT and "max_mem_len" not in params:
            made.notes["memory.capacity"] = f"the latest {MOST_KEPT:,} transitions, not all"
    if given.get("PreProcessor") in ("StackStates", "DiffStates") and agent not in BARE:
        made.put("agent.joins_first", True)
    if given.get("PreProcessor") == "Atari" and agent not in BARE:
        made.values["agent"].update(joins_first=True, joins=4)
    if agent == "DDPG" and params.get("auto_architecture"):
        made.notes["network.hidden"] = "of the critic too, which had hidden_layers"
    if agent == "QTable" and not known.id.startswith("CartPole"):
        made.notes["agent.reach"] = "stands for bounds that are infinite; they were 3.4e38"
    if params.get("epi_change_lr") is not None and "lr" not in params and agent in RECOMPILED:
        made.notes["agent.epi_change_lr"] = "to a tenth of the optimizer's rate; it was to 0.01"
    if policy == "TargetedEpsilonGreedyPolicy" and agent not in BARE:
        if problem.get("SOLVED_MEAN_REWARD") is None:
            raise Refused(f"Policy {policy} needs a SOLVED_MEAN_REWARD of the problem")
        made.put("exploration.target", problem["SOLVED_MEAN_REWARD"])
    if "2017" in made.values.get("exploration", {}).get("name", "") and known.unit != 1.0:
        made.put("exploration.unit", known.unit)
    in_units = agent == "ActorCritic" and policy in ("GaussianPolicy", *NOISES)
    if (in_units or agent == "DDPG") and known.unit != 1.0:
        made.put("agent.unit", known.unit)


def _put_search(
    given: Mapping[str, Any], components: Mapping[str, Component], made: Translation
) -> None:
    """The block `search`, if there is a `param_range`."""
    ranges, method = given.get("param_range", {}), components["HyperOptimizer"]
    if not ranges:
        return
    for path, value in method.puts.items():
        made.put(path, value)
    made.put("search.statistic", "fitness_2017")
    made.notes.update(method.notes)
    if "search.trials" in method.puts and "max_evals" in given.get("param", {}):
        made.put("search.trials", given["param"]["max_evals"])
    space, decays = {}, _decays(given, components)
    is_automatic = given.get("param", {}).get("auto_architecture")
    for key, values in sorted(ranges.items()):
        paths = _paths(key, components, decays)
        if not paths or (is_automatic and key == "hidden_layers"):
            made.warnings.append(f"param_range {key}: not used, and not searched")
            continue
        space[paths[0]] = _dimension(key, values, paths[0])
        for path in paths[1:]:
            made.notes[path] = f"stays as it is while {paths[0]} is searched"
        if isinstance(values, Mapping) and given.get("HyperOptimizer") != "RandomSearch":
            made.notes[f"search.space.{paths[0]}"] = "evenly spaced values; it took lists alone"
    made.put("search.space", space)


def _dimension(key: str, values: Any, path: str) -> Any:
    """A list of values, or a range, as the search has it."""
    if isinstance(values, Mapping):
        if values.keys() != {"min", "max"}:
            raise Refused(f"param_range {key} must have min and max, not {brief(dict(values))}")
        return {"low": values["min"], "high": values["max"]}
    if not isinstance(values, list):
        raise Refused(f"param_range {key} must be a list or a range, not {brief(values)}")
    with suppress(TypeError):  # it failed at what cannot be compared
        values = sorted(values)
    return [_value(key, each, path) for each in values]


def _is_lock(lock: Any) -> bool:
    """Whether a lock of the file is of the form that can be checked."""
    if not isinstance(lock, Mapping) or not isinstance(lock.get("head"), str):
        return False
    sets = {key: names for key, names in lock.items() if key not in ("type", "details", "head")}
    return lock["head"] in sets and all(isinstance(names, list) for names in sets.values())


def _violates(given: Mapping[str, Any], lock: Mapping[str, Any]) -> bool:
    """Whether the components do not go together, by a lock of OpenAI Lab.

    In a `mutex` the head is of the set if and only if the others are; in a `subset` the others
    are only if the head is.
    """
    head = lock["head"]
    rest = {given.get(key) in names for key, names in lock.items()
            if key in given and key != head}  # fmt: skip
    is_head = given.get(head) in lock[head]
    if len(rest) > 1:
        return True
    return any(each != is_head if lock.get("type") == "mutex" else each and not is_head
               for each in rest)  # fmt: skip
