"""The blocks of an agent with several networks: for all of them, for one role, or for both."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from nn.names import nearest, suggestion
from rl.specification.specification import Specification

Block = Mapping[str, Any]


def require_blocks(specification: Specification, key: str, roles: Collection[str]) -> None:
    """Refuses a role without a block of settings, and one whose name is mistyped.

    Raises:
        UserError: the message names it.
    """
    for name, each in specification.block(key).items():
        if name in roles and not isinstance(each, Mapping):
            raise specification.explain(f"{key}.{name}", "must be a block of settings")
        if name not in roles and isinstance(each, Mapping) and nearest(name, roles):
            complaint = f"is no network's role{suggestion(name, roles)}"
            raise specification.explain(f"{key}.{name}", complaint)


def settings_for(block: Block, role: str, roles: Collection[str]) -> dict[str, Any]:
    """The settings of a role in a `network` or `optimizer` block.

    Those that stand beside the roles hold for all of them, unless a role has its own, or names
    another part.
    """
    own = block.get(role, {})
    shared = {name: each for name, each in block.items() if name not in roles}
    is_another = own.get("name", shared.get("name")) != shared.get("name")
    return dict(own) if is_another else {**shared, **own}


def path_of(key: str, block: Block, role: str | None, name: str = "") -> str:
    """Where a role's block stands, or a setting of it: beside the roles, or in its own block."""
    own = block.get(role, {}) if role else {}
    is_own = role in block and (name in own or name not in block)
    return ".".join(filter(None, (key, role if is_own else None, name)))
