"""The program that tells whether training results are the same: it takes every experiment."""

from __future__ import annotations

from rl.environments.registered import is_installed
from rl.specification.build import build
from rl.specification.specification import all_specifications
from tests.programs import program


def test_each_experiment_can_be_cut_down() -> None:
    shortened = list(program("fingerprints").specifications())
    there = {name for name, each in all_specifications().items()
             if is_installed(each.environment_id)}  # fmt: skip
    assert {each.name for each in shortened} > there
    for specification in shortened:
        made = build(specification, 0)
        assert made.training.steps == 2_000
        assert made.agent.learns_after <= 2_000
