"""A manifest says what a run depended on, and what is otherwise on another machine."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from rl.storage import machine
from rl.storage.manifest import differences, make_manifest


def manifest() -> dict[str, Any]:
    """As it is read from a file."""
    return json.loads(json.dumps(make_manifest("x", [1], ["rl", "run", "x"])))


def test_it_names_what_a_bit_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    made = manifest()
    assert made["format"] == 1
    assert made["versions"]["numpy"] == np.__version__
    assert made["versions"]["box2d"].startswith("2.")
    assert made["implementation"] == "CPython"
    assert made["environment"]["OPENBLAS_CORETYPE"] == "Haswell"
    assert made["blas"]["threads"] == 1  # of a session, however many this process has
    kernels = [each.get("architecture") for each in threadpool_info()]
    assert made["blas"]["kernel"] in kernels
    assert made["simd"]


def test_the_same_machine_does_not_differ() -> None:
    assert differences(manifest()) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("versions", "numpy"), "1.0", f"numpy {np.__version__} here, 1.0 there"),
        (("versions", "box2d"), None, " here, none there"),
        (("implementation",), "PyPy", "implementation CPython here, PyPy there"),
        (("processor",), "sparc", "here, sparc there"),
        (("libc",), "glibc 1.9", "here, glibc 1.9 there"),
        (("simd",), ["A", "B"], "here, A+B there"),
        (("blas", "kernel"), "Katmai", "here, Katmai there"),
        (("environment", "OPENBLAS_CORETYPE"), "Katmai", "here, Katmai there"),
        (("git_commit",), "0123456789abcdef", "here, 0123456789 there"),
    ],
)
def test_each_thing_that_changes_bits_is_one_line(
    path: tuple[str, ...], value: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rl.storage.manifest.git_commit", lambda: "fedcba9876543210")
    other = manifest()
    block = other
    for name in path[:-1]:
        block = block[name]
    block[path[-1]] = value
    (line,) = differences(other)
    assert said in line


def test_a_session_that_ran_on_another_machine_is_named() -> None:
    """One on a machine like this one is not, nor a node as an earlier version has noted it."""
    same = {"node": "a", **machine.describe()}
    other = {**same, "node": "b", "versions": {**same["versions"], "numpy": "1.0"}}
    early = {"node": "c", "NumPy": "1.0", "processor": "A model"}
    ran_on = {0: [same], 1: [same, other], 2: [early], 3: [other]}
    said = f"numpy {np.__version__} here, 1.0 there (session 1 on b, 3 on b)"
    assert differences(manifest(), ran_on) == [said]
    merged = {**manifest(), "versions": other["versions"]}
    assert len(differences(merged, ran_on)) == 1, "what the manifest says is said once"


def test_what_changes_no_bit_is_no_difference() -> None:
    other = manifest()
    other["environment"]["OMP_NUM_THREADS"] = "7"
    other["processor_model"] = other["platform"] = "another"
    other["seeds"], other["command"] = [5], []
    assert differences(other) == []


def test_an_older_manifest_is_compared_in_what_it_says() -> None:
    made = manifest()
    older = {
        "format": 1,
        "versions": {"python": "2.7.18", "numpy": made["versions"]["numpy"]},
        "platform": "another",
    }
    before = copy.deepcopy(older)
    assert differences(older) == [f"python {made['versions']['python']} here, 2.7.18 there"]
    assert older == before
    assert differences({}) == []


def test_without_a_word_from_threadpoolctl_numpys_build_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("threadpoolctl.threadpool_info", list)
    found = machine.blas()
    assert found["library"]
    assert found["kernel"] is found["threads"] is None
