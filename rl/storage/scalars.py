"""Plain scalars: the values of texts without quotes, in YAML, after `--set` and in options.

They are those of YAML 1.2's core schema: `1e3` is a number, and `no`, `1:30` and `2026-01-31` are
texts. PyYAML follows YAML 1.1, where it is the other way round. In addition, `1_000` and `0b11` are
numbers as in Python, and `NaN` and `Infinity` as in JSON.
"""

from __future__ import annotations

import functools
import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

STR = "tag:yaml.org,2002:str"
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_DIGITS = "[0-9]+(?:_[0-9]+)*"
_WHOLE = re.compile(f"[-+]?(?:0x[0-9a-fA-F]+|0o[0-7]+|0b[01]+|{_DIGITS})")
_REAL = re.compile(
    rf"[-+]?(?:(?:\.{_DIGITS}|{_DIGITS}(?:\.(?:{_DIGITS})?)?)(?:[eE][-+]?[0-9]+)?"
    r"|\.inf|\.Inf|\.INF|Infinity)|\.nan|\.NaN|\.NAN|NaN"
)
_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}


def scalar(text: str) -> Any:
    """None, a boolean, a number, or the text itself.

    Raises:
        ValueError: a whole number that begins with 0, which is octal to some, or is too long.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return _whole(text)
    if _REAL.fullmatch(text):
        return float(re.sub(r"\.(?=[inIN])", "", text))
    return text


def _whole(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        if len(text) > 100:
            raise ValueError(f"a number has {len(text)} digits") from None
        raise ValueError(f"{text} begins with 0; write {int(text)}, or a text in quotes") from None


def is_plain(text: str) -> bool:
    """Returns True if a text without quotes is a text."""
    try:
        return isinstance(scalar(text), str)
    except ValueError:
        return False


def near_number(text: str) -> str | None:
    """The number that was probably meant by `0,5`, `10k`, `1,000` or `"3"`, or None."""
    bare = text.strip().strip("'\"").strip()
    bare = re.sub(r"(?<=[0-9])[ ,'](?=[0-9]{3}(?:[ ,'.]|$))", "_", bare)
    bare = re.sub(r"^([-+]?[0-9]*),([0-9]+)$", r"\1.\2", bare)
    if found := re.fullmatch(r"(.*[0-9.])\s*([kKmMgG]?)", bare):
        bare, factor = found[1], _FACTORS[found[2].lower()]
        if _REAL.fullmatch(bare) and math.isfinite(number := float(bare) * factor):
            return f"{number:.10g}"
    return None


@functools.cache
def dumper() -> type[yaml.SafeDumper]:
    """PyYAML's safe dumper, which also quotes texts that `scalar` would convert."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:  # which the lab refuses
            return True

    def represent(dumper: Any, text: str) -> Any:
        return dumper.represent_scalar(STR, text, style=None if is_plain(text) else "'")

    Dumper.add_representer(str, represent)
    return Dumper
