"""A policy as a script in plain NumPy, with its arrays in an .npz file beside it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nn.checkpoint import replacing
from nn.typing import Array
from rl.errors import UserError
from rl.export.policy import Policy
from rl.formatting import count_of
from rl.storage.files import read_bytes, write_text

MARK = "written by `rl export`"  # in each script, so that no other is overwritten

# The lines of each operation on x, where {name} is an array of the step.
_WINDOWS = "np.lib.stride_tricks.sliding_window_view(x, ({size},) * 2, (1, 2))"
_PLACES = f"x = {_WINDOWS}[:, :: {{stride}}, :: {{stride}}]"
_PADDED = "x = np.pad(x.reshape({shape}), [(0, 0), ({padding},) * 2, ({padding},) * 2]"
LINES: dict[str, tuple[str, ...]] = {
    "frames": ("x = x.reshape({shape}).transpose({order})",),
    "cut": (
        "(top, left), (bottom, right) = {starts}, {ends}",
        "x = x[:, :, top:bottom, left:right]",
    ),
    "grey": ("x = ({weights} * x).sum(1, keepdims=True)",),
    "columns": ("x = x @ {weights}",),
    "rows": ("x = {weights} @ x",),
    "flat": ("x = x.ravel()",),
    "picture": ("x = ({scale} * x).reshape({shape}).transpose({order}).ravel()",),
    "conv": (
        f"{_PADDED})",
        _PLACES,
        "x = np.tensordot({filters}, x, [(1, 2, 3), (0, 3, 4)])",
        "x = (x + {biases}[:, None, None]).ravel()",
    ),
    "max_pool": (f"{_PADDED}, constant_values=-np.inf)", _PLACES, "x = x.max((3, 4)).ravel()"),
    "normalize": ("x = np.clip((x - {mean}) / {deviation}, -{limit}, {limit}).astype(np.float32)",),
    "dense": ("x = x @ {weights} + {biases}",),
    "layer_norm": (
        "x = x - x.mean()",
        "x = {gain} * x / np.sqrt(np.mean(x * x) + {epsilon}) + {biases}",
    ),
    "affine": ("x = {scale} * x + {shift}",),
    "identity": (),
    "sigmoid": ("x = 0.5 + 0.5 * np.tanh(0.5 * x)",),
    "tanh": ("x = np.tanh(x)",),
    "relu": ("x = np.maximum(x, 0)",),
    "leaky_relu": ("x = np.maximum(x, {slope} * x)",),
    "elu": ("x = np.maximum(x, 0) + np.expm1(np.minimum(x, 0))",),
    "softplus": ("x = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))",),
    "silu": ("x = x * (0.5 + 0.5 * np.tanh(0.5 * x))",),
    "softmax": ("x = np.exp(x - x.max())", "x = x / x.sum()"),
    "bins": ("x = np.clip(np.floor((x - {low}) * {scale}), 0, {most})",),
    "row": ("x = {table}[int(x @ {strides})]",),
    "select": ("x = x[{entries}]",),
    "clip": ("x = np.clip(x, -1, 1)",),
    "scale": ("x = np.clip({middle} + {reach} * x, {low}, {high})",),
    "round": ("x = np.rint(x)",),
    "convert": ("x = x.astype({like}.dtype)",),
    "argmax": ("x = int(x.argmax() + {first})",),
    "argmax_each": ("x = np.array([each.argmax() for each in np.split(x, {firsts})])",),
    "argmax_row": ("x = {table}[x.argmax()]",),
    "offset": ("x = ({start} + x.reshape({start}.shape)).astype({start}.dtype)",),
    "reshape": ("x = x.reshape(tuple({shape}))",),
    "mask": (
        "if mask is not None:",
        "    x = np.where(np.hstack(mask).astype(bool), x, -np.inf)",
    ),
    "mask_combinations": (
        "if mask is not None:",
        "    x = np.where(np.hstack(mask).astype(bool)[{places}].all(axis=1), x, -np.inf)",
    ),
}

SCRIPT = '''\
"""{title}: its greedy policy, {mark}.

    python {script} NUMBER ...{usage}

The input of {numbers} is {sees}.
Printed is {gives}.{masks}
"""

import sys
from pathlib import Path

import numpy as np

with np.load(Path(__file__).with_name({data!r})) as file:
    p = dict(file)


def act(observation{mask}):
    """The action for what is seen [{size}]."""
    x = np.asarray(observation, np.float32).reshape({size})
{body}
    return x


if __name__ == "__main__":
    if len(sys.argv) {wrong}:
        sys.exit(__doc__)
    print({call})
'''


def write_script(policy: Policy, title: str, file: Path) -> list[Path]:
    """Writes the arrays to `file`, and the script beside it; returns both.

    Raises:
        UserError: there is another file in the place of the script.
        OSError: one cannot be written.
    """
    script = file.with_suffix(".py")
    if script.exists() and MARK.encode() not in read_bytes(script):
        raise UserError(f"{script}: is no script of `rl export`; name another file with --output")
    arrays: dict[str, Array] = {}
    body = "\n".join(f"    {line}" for line in _lines(policy, arrays))
    text = SCRIPT.format(
        title=_plain(title), mark=MARK, script=_plain(script.name), data=file.name,
        size=policy.size, numbers=count_of(policy.size, "number"), sees=policy.sees,
        gives=policy.gives, body=body, **_of_mask(policy),
    )  # fmt: skip
    content = io.BytesIO()  # NumPy 2.0 leaves a traceback of its own where a write fails
    np.savez(content, **arrays)  # type: ignore[arg-type]
    with replacing(file) as data:
        data.write(content.getbuffer())
        data.flush()
        write_text(script, text)  # of the two, none without the other
    return [file, script]


def _of_mask(policy: Policy) -> dict[str, str]:
    """The parts of the script that deal with a mask of actions."""
    size = policy.size
    if not policy.masks:
        wrong, call = f"!= 1 + {size}", "act(sys.argv[1:])"
        return {"mask": "", "masks": "", "usage": "", "wrong": wrong, "call": call}
    return {
        "mask": ", mask=None",
        "usage": " [MASK ...]",
        "masks": f" The mask is of {policy.masks} entries, 1 for what is allowed;\n"
        "without it, everything is.",
        "wrong": f"not in (1 + {size}, 1 + {size} + {policy.masks})",
        "call": f"act(sys.argv[1 : 1 + {size}], [*map(int, sys.argv[1 + {size} :])] or None)",
    }


def _plain(text: str) -> str:
    """The text without what would end a docstring."""
    return text.replace("\\", "/").replace('"', "'")


def _lines(policy: Policy, arrays: dict[str, Array]) -> Iterator[str]:
    """The lines of `act`; adds the arrays that they name to `arrays`."""
    for number, step in enumerate(policy.steps):
        names = {name: f"{step.name}_{number}_{name}" for name in step.arrays}
        arrays |= {names[name]: array for name, array in step.arrays.items()}
        in_script = {name: f'p["{each}"]' for name, each in names.items()}
        yield from (line.format(**in_script) for line in LINES[step.name])
