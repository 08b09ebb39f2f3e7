"""The forms of the JSON files in a run folder, which are checked when they are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Form = Callable[[Any], bool]  # returns True of a value of this form

_OF_TRANSITIONS = re.compile(r"(transitions|frames)_[0-9]+\.bin")
_GREATEST = 1e100  # figures are computed from what is read, in double precision


def is_text(value: Any) -> bool:
    """A text."""
    return isinstance(value, str)


def is_truth(value: Any) -> bool:
    """True, false, or None for unknown."""
    return value is None or isinstance(value, bool)


def is_count(value: Any) -> bool:
    """A whole number of at least 0."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _GREATEST


def is_number(value: Any) -> bool:
    """A finite number."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and abs(value) < _GREATEST


def list_of(form: Form, *lengths: int) -> Form:
    """A list of at least one value of a form, of one of these lengths if some are given."""

    def is_list(value: Any) -> bool:
        fits = isinstance(value, list) and (len(value) in lengths if lengths else bool(value))
        return fits and all(map(form, value))

    return is_list


def maybe_empty(form: Form) -> Form:
    """An empty list, or a value of a form."""
    return lambda value: value == [] or form(value)


def block_of(required: Mapping[str, Form], optional: Mapping[str, Form] | None = None) -> Form:
    """A JSON object with these entries, and perhaps others."""
    forms = {**required, **(optional or {})}

    def is_block(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and required.keys() <= value.keys()
            and all(form(value[key]) for key, form in forms.items() if key in value)
        )

    return is_block


def map_of(form: Form) -> Form:
    """A JSON object all of whose values are of a form."""
    return lambda value: isinstance(value, dict) and all(map(form, value.values()))


def optional(form: Form) -> Form:
    """None, or a value of a form."""
    return lambda value: value is None or form(value)


_EVALUATION = block_of(
    {
        **dict.fromkeys(("mean_return", "std_return", "median_return"), is_number),
        **dict.fromkeys(("min_return", "max_return", "mean_length"), is_number),
        **dict.fromkeys(("episodes", "min_length", "max_length"), is_count),
        "problem": is_text,
        "threshold": optional(is_number),
        "solved": is_truth,
        "ci95": list_of(is_number, 2),
    },
    {"returns": list_of(is_number), "cut_episodes": is_count},
)
_TEXTS = map_of(optional(is_text))
_MACHINE = {
    **dict.fromkeys(("implementation", "system", "libc"), optional(is_text)),
    **dict.fromkeys(("processor", "processor_model", "platform"), optional(is_text)),
    "git_commit": optional(is_text),
    "simd": maybe_empty(list_of(is_text)),
    **dict.fromkeys(("versions", "environment"), _TEXTS),
    "blas": block_of({}, dict.fromkeys(("library", "version", "kernel"), optional(is_text))),
}
_ON_RAY = dict.fromkeys(("lab", "Python", "NumPy", "BLAS kernel"), is_text)
_RAN_ON = list_of(block_of({"node": is_text}, {**_MACHINE, **_ON_RAY}))
NOTED = block_of({"machines": _RAN_ON})
_REACHED = block_of({"step": is_count, "episodes": is_count, "seconds": is_number})
_COUNTS = ("seed", "steps", "updates", "episodes", "best_step")

# How a session ended; one that was evaluated has more entries.
OUTCOME = block_of(
    {"status": is_text},
    {
        **dict.fromkeys(_COUNTS, is_count),
        **dict.fromkeys(("seconds", "evaluation_seconds"), is_number),
        **dict.fromkeys(("reason", "weights"), is_text),
        "reached": optional(_REACHED),
        "ran_on": _RAN_ON,
        **dict.fromkeys(("unfinished", "kept"), is_truth),
        "evaluation": block_of({}),
        "final": _EVALUATION,
    },
)
EVALUATED = block_of(
    {
        **dict.fromkeys(("steps", "episodes", "best_step"), is_count),
        "seconds": is_number,
        "evaluation": _EVALUATION,
    }
)
_POINTS = list_of(list_of(is_number, 2))
_REACHED_AFTER = (f"{unit}_to_threshold" for unit in ("steps", "episodes", "seconds"))
# The result of a trial of a search; if some of its sessions counted, it has more entries.
RESULT = block_of(
    {"state": is_text, "score": optional(is_number), "parameters": block_of({})},
    {
        "curve": maybe_empty(_POINTS),
        "rungs": map_of(is_number),
        **dict.fromkeys(("strength", "stability", "consistency"), optional(is_number)),
        **dict.fromkeys(("power", "fitness", "fitness_2017", "solved"), optional(is_number)),
        "counted": is_count,
        **dict.fromkeys(_REACHED_AFTER, optional(block_of({"median": is_number}))),
        "reason": is_text,
        "made": block_of(dict.fromkeys(("host", "folder"), is_text)),
    },
)
_SPREAD = block_of(dict.fromkeys(("mean", "median", "iqm", "min"), is_number))
COUNTED = block_of({"best": _SPREAD, "final": optional(_SPREAD), "fitness": optional(is_number)})
# What a search found, as far as it is read again.
SUMMARY = block_of(
    {}, {"best_trial": optional(is_count), "importances": optional(map_of(is_number))}
)
_CURVE = block_of({"steps": list_of(is_number), "returns": list_of(is_number)})
_GROUP = block_of(
    {
        **dict.fromkeys(("name", "problem"), is_text),
        "scores": list_of(is_number),
        "returns": list_of(list_of(is_number)),
        "curves": list_of(_CURVE),
        "threshold": optional(is_number),
    }
)
COMPARISON = block_of({"data": list_of(_GROUP)}, {"command": list_of(is_text)})
_MARK = block_of(
    {
        "file": lambda value: is_text(value) and bool(_OF_TRANSITIONS.fullmatch(value)),
        **dict.fromkeys(("first", "count"), is_count),
        "sha256": is_text,
    }
)
# A complete checkpoint, as far as it names files.
RESUMABLE = block_of(
    {
        "specification": is_text,
        "tables": map_of(is_count),
        "transitions": maybe_empty(list_of(_MARK)),
    },
    {"frames": maybe_empty(list_of(_MARK))},
)
MANIFEST = block_of(
    {"experiment": is_text, "seeds": list_of(is_count)},
    {
        **dict.fromkeys(("kind", "started"), is_text),
        **_MACHINE,
        "callbacks": list_of(is_text),
        "packages": map_of(is_text),
        "command": maybe_empty(list_of(is_text)),
        "specification": block_of({}),
        "start": block_of(
            dict.fromkeys(("path", "sha256", "experiment"), is_text)
            | {"step": is_count, "fresh": is_truth},
            {"mean_return": is_number},
        ),
        "merged": list_of(
            block_of({"run": is_text}, {"seeds": list_of(is_count), "command": list_of(is_text)})
        ),
        "extended": list_of(block_of({"before": block_of({}), "command": list_of(is_text)})),
    },
)
# That of a search has more entries.
SEARCH_MANIFEST = block_of(
    {
        "search": block_of(
            {
                **dict.fromkeys(("statistic", "journal"), is_text),
                "space": block_of({}),
                "lag": is_count,
                "trials": optional(is_count),
            },
            dict.fromkeys(("storage", "study", "id", "member"), is_text),
        )
    }
)
# A policy that was saved, with what its player needs.
CHECKPOINT = block_of(
    {"step": is_count, "policy": block_of({}), "preprocessor": block_of({})},
    {
        "seconds": optional(is_number),
        **dict.fromkeys(("experiment", "specification", "import_folder"), is_text),
        "shipped": block_of({"seed": is_count, "mean_return": is_number}),
    },
)
