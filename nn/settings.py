"""Settings of parts, each with its meaning, its default and its bounds.

    @dataclass(frozen=True, kw_only=True)
    class Settings(nn.BaseSettings):
        gamma: float = setting("discount of one step", 0.99, least=0, most=1)

This is the only place where a setting is described. Its checks and messages, the form of a
specification, the reference and the schema for editors follow from it.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass
from typing import Any

from nn.names import known_name


class SettingError(ValueError):
    """A setting that a part refuses.

    Args:
        setting: its name.
        complaint: what is wrong, such as "must be at least 1, not 0".
    """

    def __init__(self, setting: str, complaint: str) -> None:
        super().__init__(f"{setting} {complaint}")
        self.setting, self.complaint = setting, complaint


@dataclass(frozen=True)
class Bounds:
    """The values that a setting may have; None bounds nothing.

    Args:
        least: the lowest value.
        above: a lower bound, excluded.
        most: the highest value.
        below: an upper bound, excluded.
        names: the names that it may be, such as a table of parts.
    """

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    names: Iterable[str] | None = None

    def _limits(self) -> list[tuple[str, float, Callable[[float, float], bool]]]:
        """Each bound in words, with the comparison that holds within."""
        limits = (
            ("at least", self.least, operator.ge),
            ("greater than", self.above, operator.gt),
            ("at most", self.most, operator.le),
            ("less than", self.below, operator.lt),
        )
        return [(words, bound, fits) for words, bound, fits in limits if bound is not None]

    def complaint(self, value: float) -> str | None:
        """What is wrong with a number; None if it lies within, which nan never does."""
        outside = [
            f"{words} {bound}" for words, bound, fits in self._limits() if not fits(value, bound)
        ]
        if not outside:
            return None
        interval = self.describe()
        if interval.startswith("in ") and isinstance(value, float):
            return f"must lie {interval}, not {value}"
        if self.least == 0 and value < 0:
            return f"must not be negative, but is {value}"
        return f"must be {outside[0]}, not {value}"

    def describe(self) -> str:
        """The bounds in words, such as "at least 1" or "in [0, 1)"; empty without any."""
        low = f"[{self.least}" if self.least is not None else f"({self.above}"
        high = f"{self.most}]" if self.most is not None else f"{self.below})"
        if "None" not in low + high:
            return f"in {low}, {high}"
        return "".join(f"{words} {bound}" for words, bound, _ in self._limits())

    def check(self, name: str, value: Any) -> Any:
        """The value, a name as its table spells it.

        Raises:
            SettingError: it is not allowed.
        """
        if self.names is not None and isinstance(value, str):
            try:
                return known_name(self.names, value, name)
            except ValueError as error:
                raise SettingError(name, f"names an {error}") from None
        if self._limits() and isinstance(value, (str, bool)):
            raise SettingError(name, f"must be a number, not {value!r}")
        if isinstance(value, (int, float)) and (complaint := self.complaint(value)):
            raise SettingError(name, complaint)
        return value


def setting(meaning: str, default: Any = MISSING, **bounds: Any) -> Any:
    """A field of a settings class.

    Args:
        meaning: one line without a full stop.
        default: its value if none is given; without one it is required.
        bounds: those of `Bounds`.
    """
    metadata = {"meaning": meaning, "bounds": Bounds(**bounds)}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class BaseSettings:
    """Settings of a part; a subclass adds fields, and checks that involve several of them."""

    def __post_init__(self) -> None:
        for name, field in fields_of(type(self)).items():
            value = field.metadata["bounds"].check(name, getattr(self, name))
            object.__setattr__(self, name, value)


def fields_of(settings: Callable[..., Any]) -> dict[str, dataclasses.Field[Any]]:
    """The settings of a class by name, its base's first."""
    return {field.name: field for field in dataclasses.fields(settings)}  # type: ignore[arg-type]
