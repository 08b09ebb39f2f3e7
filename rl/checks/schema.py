"""A JSON Schema of specification files, with which editors complete and check them."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING
from typing import Any

from nn import OPTIMIZERS
from nn.schedules import SCHEDULES, Schedule
from nn.settings import Bounds
from rl.agents import AGENTS
from rl.environments.settings import EnvironmentSettings
from rl.exploration import CONTINUOUS_EXPLORERS, DISCRETE_EXPLORERS
from rl.memory import REPLAYS, ROLLOUTS
from rl.preprocessors import PREPROCESSORS
from rl.search.settings import SearchSettings
from rl.specification.blocks import NetworkSettings, Training
from rl.specification.keys import KEYS
from rl.specification.settings import alternatives, part_in, settings_of, types_of

Schema = dict[str, Any]

_TYPES = {int: "integer", float: "number", bool: "boolean", str: "string", type(None): "null"}
ROLES = {role for agent in AGENTS.values() for role in agent.roles}


def specification_schema() -> Schema:
    """Of a file: experiments by their name."""
    blocks = {
        "environment": _block(EnvironmentSettings),
        "agent": _named(AGENTS),
        "network": _for_roles(_block(NetworkSettings)),
        "optimizer": _for_roles(_named(OPTIMIZERS, default="Adam")),
        "memory": _named({**REPLAYS, **ROLLOUTS}, default="Replay"),
        "exploration": _named({**CONTINUOUS_EXPLORERS, **DISCRETE_EXPLORERS}, default=""),
        "preprocessor": _named(PREPROCESSORS, default="Identity"),
        "train": {
            **_block(Training),
            "anyOf": [{"required": [name]} for name in ("steps", "episodes")],
        },
        "search": _block(SearchSettings, {"space": {"type": "object"}}, required=["space"]),
    }
    experiment = {
        "type": "object",
        "properties": {key: blocks.get(key, {"type": "string"}) for key in KEYS},
        "required": ["agent"],
        "oneOf": [{"required": ["problem"]}, {"required": ["environment"]}],
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Experiments of RL Lab",
        "type": "object",
        "additionalProperties": experiment,
    }


def _named(table: Mapping[str, Any], default: str | None = None) -> Schema:
    """A block with the name of a part of the table; without a name it is the default's."""
    return {"anyOf": [
        _block(
            part,
            {"name": {"const": name, "description": _summary(part)}},
            [] if default in ("", name) else ["name"],
        )
        for name, part in table.items()
    ]}  # fmt: skip


def _for_roles(block: Schema) -> Schema:
    """A block for all networks, beside which a role may have its own, or one for each role."""
    kinds = block.get("anyOf", [block])
    own = {"anyOf": [{**kind, "required": []} for kind in kinds]}
    beside, alone = (dict.fromkeys(sorted(ROLES), each) for each in (own, block))
    return {"anyOf": [
        *({**kind, "properties": {**kind["properties"], **beside}} for kind in kinds),
        {"type": "object", "properties": alone, "additionalProperties": False},
    ]}  # fmt: skip


def _block(
    part: Any, more: Mapping[str, Schema] | None = None, required: Iterable[str] = ()
) -> Schema:
    """The settings of a part, and further properties."""
    known = settings_of(part)
    needed = [name for name, field in known.items() if field.default is MISSING]
    return {
        "type": "object",
        "properties": {**(more or {}), **{name: _setting(part, name) for name in known}},
        "required": [*required, *needed],
        "additionalProperties": False,
    }


def _setting(part: Any, name: str) -> Schema:
    """What one setting may be."""
    field, bounds = settings_of(part)[name], settings_of(part)[name].metadata["bounds"]
    kinds = [_kind(kind, bounds) for kind in alternatives(types_of(part)[name])]
    schema = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    schema = {"description": field.metadata["meaning"], **schema}
    return schema if field.default is MISSING else {**schema, "default": field.default}


def _kind(kind: Any, bounds: Bounds) -> Schema:
    if kind is Schedule:
        rises = {"properties": {"name": {"const": "warmup"}}, "required": ["name", "steps", "then"]}
        others = {name: part for name, part in SCHEDULES.items() if name != "warmup"}
        return {"anyOf": [*_named(others)["anyOf"], {"type": "object", **rises}]}
    if typing.get_origin(kind) is dict:
        return {"type": "object"}
    if (part := part_in(kind)) is not None:
        return {"type": "array", "items": _block(part)}
    if kind not in _TYPES:  # a tuple
        (item, _) = typing.get_args(kind)
        return {
            "type": "array",
            "items": {"type": ["string", "object"] if item is Any else "integer"},
        }
    schema: Schema = {"type": _TYPES[kind]}
    if kind is str and bounds.names is not None:
        schema["enum"] = list(bounds.names)
    if kind in (int, float):
        limits = {"minimum": bounds.least, "exclusiveMinimum": bounds.above,
                  "maximum": bounds.most, "exclusiveMaximum": bounds.below}  # fmt: skip
        schema |= {key: value for key, value in limits.items() if value is not None}
    return schema


def _summary(part: Any) -> str:
    """The first line of what a part is."""
    return (part.__doc__ or "").partition("\n")[0]
