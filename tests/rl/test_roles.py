"""Settings for all of an agent's networks, and for one of them beside those."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rl
from rl.checks.schema import specification_schema
from rl.errors import UserError
from rl.specification.build import build
from rl.specification.objects import specification_from
from tests.rl.conftest import Command

SAC = {"name": "SAC", "learn_start": 10}


def resolved(key: str, block: Any, problem: str = "Pendulum-v1") -> Any:
    """The block as it is once everything is filled in."""
    values = {"problem": problem, "agent": SAC, key: block, "train": {"steps": 100}}
    return build(specification_from(values), 0).specification.block(key)


def test_what_stands_beside_the_roles_holds_for_all() -> None:
    block = resolved("network", {"hidden": [8], "activation": "tanh", "critic": {"hidden": [16]}})
    assert block.keys() == {"actor", "critic"}
    assert [block[role]["hidden"] for role in ("actor", "critic")] == [(8,), (16,)]
    assert [block[role]["activation"] for role in ("actor", "critic")] == ["tanh"] * 2


def test_another_part_has_settings_of_its_own() -> None:
    given = {"name": "Adam", "beta1": 0.5, "critic": {"name": "SGD", "learning_rate": 0.1}}
    block = resolved("optimizer", given)
    assert (block["actor"]["name"], block["actor"]["beta1"]) == ("Adam", 0.5)
    assert (block["critic"]["name"], block["critic"]["learning_rate"]) == ("SGD", 0.1)
    assert "beta1" not in block["critic"]


def test_one_setting_of_one_network_leaves_the_other_as_it_is() -> None:
    """In an experiment, and in the defaults of an environment."""
    for name, agent in (("pendulum_sac", None), ("Pendulum-v1", "SAC")):
        plain, changed = (
            build(specification_from(name, None, overrides, agent=agent), 0).specification
            for overrides in ((), ("network.critic.hidden=[7]", "optimizer.critic.epsilon=0.1"))
        )
        for key, setting, value in (("network", "hidden", (7,)), ("optimizer", "epsilon", 0.1)):
            before, after = plain.block(key), changed.block(key)
            assert after["actor"] == before["actor"]
            assert after["critic"] == {**before["critic"], setting: value}


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ({"hiden": [8], "critic": {}}, "network.hiden is no setting"),
        ({"hidden": [8], "critic": {"hiden": [8]}}, "network.critic.hiden is no setting"),
        ({"hidden": [-8], "critic": {"hidden": [8]}}, "network.hidden must"),
        ({"hidden": [8], "critic": {"hidden": [-8]}}, "network.critic.hidden must"),
        ({"hidden": [8], "critic": 8}, "network.critic must be a block of settings"),
        ({"hidden": [8], "critik": {"hidden": [8]}}, "is no network's role; did you mean 'critic'"),
    ],
)
def test_a_mistake_is_named_where_it_stands(block: Any, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        resolved("network", block)


@pytest.mark.parametrize("key", ["network", "optimizer"])
@pytest.mark.parametrize("role", ["actor", "critic"])
def test_a_role_without_a_block_is_refused(
    key: str, role: str, rl_here: Command, tmp_path: Path
) -> None:
    """Also where the networks are those of a trained agent."""
    for options in ((), ("--from", "pendulum_sac")):
        answer = rl_here("run", "pendulum_sac", "--set", f"{key}.{role}=8", *options)
        assert answer.returncode == 2
        assert answer.stderr.endswith(f"rl: --set: {key}.{role} must be a block of settings\n")
    assert not (tmp_path / "runs").exists()


def test_it_starts_from_a_trained_agent(tmp_path: Path) -> None:
    values = {"problem": "Pendulum-v1", "agent": SAC, "train": {"steps": 220}}
    network = {"hidden": [8], "critic": {"hidden": [16]}}
    trained = rl.train({**values, "network": network}, output=tmp_path / "a")
    begun = rl.train({**values, "network": network}, output=tmp_path / "b", start_from=trained)
    assert begun.specification.block("network") == trained.specification.block("network")
    with pytest.raises(UserError, match=r"network.critic.hidden is \[9\], and \[16\] in "):
        rl.train({**values, "network": {**network, "critic": {"hidden": [9]}}},
                 output=tmp_path / "c", start_from=trained)  # fmt: skip
    with pytest.raises(UserError, match=r"network.hidden is \[9\], and \[8\] in "):
        rl.train({**values, "network": {**network, "hidden": [9]}},
                 output=tmp_path / "c", start_from=trained)  # fmt: skip


@pytest.mark.parametrize("key", ["network", "optimizer"])
def test_the_schema_has_it(key: str) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="of the extra .[test]")
    blocks: dict[str, list[dict[str, Any]]] = {
        "network": [{"hidden": [8]}, {"activation": "tanh"}],
        "optimizer": [{"learning_rate": 0.1}, {"epsilon": 0.1}],
    }
    shared, own = blocks[key]
    validator = jsonschema.Draft202012Validator(specification_schema())

    def fits(block: Any) -> bool:
        values = {"problem": "Pendulum-v1", "agent": SAC, "train": {"steps": 9}, key: block}
        return bool(validator.is_valid({"x": values}))

    assert all(map(fits, (shared, {**shared, "critic": own}, {"actor": shared, "critic": shared})))
    assert not fits({**shared, "critic": {"hiden": 8}})
    assert not fits({**shared, "critik": own})
