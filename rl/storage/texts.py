"""JSON and YAML texts as plain values: mappings, lists, texts, numbers, true, false and null.

Only data are read. Duplicate keys are refused, since one of the values would be ignored; so are
YAML's tags, which create objects, its aliases, a few lines of which can expand beyond the memory,
and texts nested deeper than any file of the lab, which would exhaust the stack.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from rl.storage.scalars import STR, scalar

if TYPE_CHECKING:
    import yaml

DEEPEST = 20  # levels of blocks and lists in a specification
DEEPEST_JSON = 40  # of files that hold specifications
TOO_DEEP = "is nested too deeply"


def encodable(text: str) -> str:
    """The text with a question mark for each half of a surrogate, which UTF-8 does not have."""
    return text.encode("utf-8", "replace").decode("utf-8")


def parse_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it has none; the message is one line.
    """
    try:
        value = json.loads(text, object_pairs_hook=_without_duplicates)
    except RecursionError:
        raise ValueError(f"it {TOO_DEEP}") from None
    level = [value]
    for _ in range(DEEPEST_JSON):
        level = [each for container in level for each in _within(container)]
    if level:
        raise ValueError(f"it {TOO_DEEP}")
    return value


def _within(container: Any) -> Iterable[Any]:
    """The blocks and lists that a block or a list holds."""
    if not isinstance(container, (dict, list)):
        return ()
    inner = container.values() if isinstance(container, dict) else container
    return [each for each in inner if isinstance(each, (dict, list))]


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_duplicates(key for key, _ in pairs)
    return dict(pairs)


def _refuse_duplicates(keys: Iterable[str]) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise ValueError(f"the key {key!r} is there twice")
        seen.add(key)


def parse_yaml(text: str) -> Any:
    """The value of a YAML text.

    Raises:
        ValueError: it has none; the message is one line.
    """
    import yaml

    try:
        return yaml.load(text, Loader=_loader())
    except ValueError:
        raise
    except (yaml.YAMLError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        # PyYAML raises the latter four where a scalar is not what it looks like.
        raise ValueError(" ".join(str(error).split())) from None


def _refuse_slip(key: str) -> None:
    """Refuses a key without a value that results from `{gamma:0.9}` or `{gamma: 0,9}`."""
    if ":" in key:
        raise ValueError(f"{key!r} lacks a space behind the colon")
    if key.isdecimal():
        raise ValueError(f"{key!r} has no value; a number has a decimal point, not a comma")


@functools.cache
def _loader() -> type[yaml.SafeLoader]:
    """PyYAML's safe loader without what JSON lacks, with the scalars of YAML 1.2."""
    import yaml

    class PlainLoader(yaml.SafeLoader):
        depth = 0
        yaml_implicit_resolvers: ClassVar[Any] = {}  # type: ignore[misc]  # all are texts at first

        def compose_node(self, parent: Any, index: Any) -> Any:
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]
            if isinstance(event, yaml.AliasEvent):
                raise ValueError(f"the alias *{event.anchor} is not followed; write its value")
            if event.tag is not None:
                raise ValueError(f"the tag {event.tag} is not allowed; write a plain value")
            if self.depth > DEEPEST:
                raise ValueError(f"it {TOO_DEEP}")
            self.depth += 1
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [key for key, _ in node.value if isinstance(key.value, str)]
            _refuse_duplicates(key.value for key in keys)
            if any(key.value == "<<" and key.style is None for key in keys):
                raise ValueError("the merge key << is not followed; write what it stands for")
            for key, value in node.value:
                if value.value == "" and value.style is None:
                    _refuse_slip(str(key.value))
            return super().construct_mapping(node, deep=deep)

    def construct(loader: PlainLoader, node: yaml.ScalarNode) -> Any:
        return scalar(node.value) if node.style is None else node.value

    PlainLoader.add_constructor(STR, construct)
    return PlainLoader
