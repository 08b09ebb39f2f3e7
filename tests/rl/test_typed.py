"""What people type: numbers, words, paths and keys, in files and on the command line."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rl.cli import main
from rl.errors import UserError
from rl.search.space import read_space
from rl.specification.build import build
from rl.specification.specification import Specification, load_specification, read_specifications
from rl.storage.files import read_specification, write_specification
from rl.storage.paths import user_path
from rl.storage.run_folder import RunFolder
from rl.storage.scalars import near_number, scalar
from rl.verbs.arguments import checkpoint, factor, natural, positive

READ = [
    *((text, 1000.0) for text in ("1e3", "1E3", "1.e3", "+1e3", "1e+3", "1_000.0", "01e3")),
    *((text, 0.5) for text in (".5", "5e-1", "+.5", "0.5")),
    ("-1e-4", -1e-4), ("3e-4", 3e-4), ("1.5e0", 1.5), ("1e999", math.inf),
    ("1_000", 1000), ("0x1F", 31), ("0o17", 15), ("0b11", 3), ("-0", 0), ("00", 0), ("+7", 7),
    (".inf", math.inf), ("-.Inf", -math.inf), ("Infinity", math.inf),
    *((text, None) for text in ("~", "null", "Null", "NULL", "")),
    *((text, True) for text in ("true", "True", "TRUE")),
    ("false", False),
    *((text, text) for text in (
        "yes", "no", "on", "off", "y", "n", "Yes", "NO", "Norway", "1:30", "1:30:00",
        "190:20:30.15", "2026-01-31", "2026-01-31 12:00:00", "1__0", "_1", "1_", "1e", "e3", ".",
        "+", "-.", "0x", "0o8", "1,5", "10k", "None", "inf", "nan", "=", "x1", "1.2.3", "- 1")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), READ, ids=[text for text, _ in READ])
def test_a_scalar_is_that_of_the_core_schema(tmp_path: Path, text: str, value: Any) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)
    if text not in (
        "",
        "=",
        "- 1",
        "1,5",
    ):  # which are no plain scalars of YAML behind "description: "
        file = tmp_path / "x.yaml"
        file.write_text(f"x: {{problem: P, agent: {{name: {text}, b: [{text}]}}}}\n")
        agent = read_specifications(file)["x"].values["agent"]
        expected = None if text == "~" else value
        assert (agent["name"], agent["b"]) == (expected, [expected])
        given = load_specification("cartpole_dqn", overrides=[f"agent.name={text}"])
        assert given.values["agent"]["name"] == expected
        assert type(given.values["agent"]["name"]) is type(value)


def test_not_a_number() -> None:
    assert all(math.isnan(scalar(text)) for text in (".nan", ".NaN", "NaN"))


@pytest.mark.parametrize("text", ["010", "08", "-007", "0_1", "9" * 5000])
def test_a_number_that_could_be_octal_or_is_too_long(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(f"x: {{problem: P, agent: {{name: {text}}}}}")
    with pytest.raises(UserError, match=r"begins with 0; write|has 5000 digits"):
        read_specifications(tmp_path / "x.yaml")
    with pytest.raises(UserError, match=r"begins with 0; write|has 5000 digits"):
        load_specification("cartpole_dqn", overrides=[f"memory.capacity={text}"])
    quoted = load_specification("cartpole_dqn", overrides=[f'description="{text}"'])
    assert quoted.values["description"] == text


SPECIFICATION = """\
x:
  problem: CartPole-v1
  agent: {name: DQN, gamma: 9e-1, learn_start: 1e2, dueling: yes}
  network: {hidden: [1e1, 8], layer_norm: on}
  optimizer: {name: Adam, learning_rate: 3e-4}
  memory: {capacity: 1_000}
  train: {steps: 1e4, stop_when_solved: no}
  search:
    trials: 1e1
    space:
      optimizer.learning_rate: {low: 1e-4, high: 1e-2, log: yes}
      memory.capacity: {low: 1e3, high: 2e3, points: 1e1}
      train.steps: [1e4, 2E4]
"""


def test_a_specification_with_every_kind_of_number(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(SPECIFICATION)
    specification = load_specification("x", tmp_path / "x.yaml")
    values = build(specification, 0).specification.values
    assert values["agent"]["gamma"] == 0.9
    assert (values["agent"]["learn_start"], values["train"]["steps"]) == (100, 10_000)
    assert type(values["train"]["steps"]) is int
    assert (values["agent"]["dueling"], values["train"]["stop_when_solved"]) == (True, False)
    assert values["network"]["layer_norm"] is True
    assert tuple(values["network"]["hidden"]) == (10, 8)
    assert values["memory"]["capacity"] == 1000
    space = read_space(specification)
    assert space["optimizer.learning_rate"].log  # type: ignore[union-attr]
    assert len(space["memory.capacity"].grid()) == 10
    assert all(isinstance(each, int) for each in space["memory.capacity"].grid())
    assert [repr(each) for each in space["train.steps"].grid()] == ["10000", "20000"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("train: {steps: 1.5e0}", "train.steps must be an integer or null, not 1.5"),
        ("train: {steps: 1:30}", "train.steps must be an integer or null, not '1:30'"),
        ("train: {steps: 10k}", "not '10k'; write 10000"),
        ("train: {steps: '1e4'}", "not '1e4'; write 10000"),
        ("train: {steps: 1e400}", "train.steps must be a finite number"),
        ("optimizer: {learning_rate: '3e-4'}", "not '3e-4'; write 0.0003"),
        ("optimizer: {learning_rate: .inf}", "must be a finite number"),
        ("agent: {name: DQN, gamma: 0;5}", "agent.gamma must be a number, not '0;5'"),
        ("agent: {name: DQN, gamma: 0,5}", "'5' has no value; a number has a decimal point"),
        ("agent: {name: no}", "agent.name names an unknown agent 'no'"),
        ("agent: {name: 1e3}", "agent.name must be a name, not 1000.0. Known: A2C"),
        ("agent: {name: ~}", "agent.name must be a name, not None"),
        ("agent: {<<: {name: DQN}}", "the merge key << is not followed"),
        ("agent: {name:DQN}", "'name:DQN' lacks a space behind the colon"),
        ("description: 1e3", "description must be a text, not 1000.0; put it in quotes"),
        ("network:", "network must be a block of settings, not None; an empty one is {}"),
        ("network: {hidden: 64}", "not 64; write [64]"),
        ("network: {hidden: '64, 32'}", "not '64, 32'; write [64, 32]"),
        ("train:\n\tsteps: 1", "indent with spaces, not with tabs"),
        ("import: off", "import names 'off'"),
    ],
)
def test_a_trap_has_one_line(tmp_path: Path, line: str, said: str) -> None:
    blocks = {"problem": "CartPole-v1", "agent": "{name: DQN}", "train": "{steps: 2000}"}
    key, _, value = line.partition(": " if ": " in line else ":")
    blocks[key.rstrip(":")] = value
    text = "".join(f"  {name}: {block}\n" for name, block in blocks.items())
    (tmp_path / "x.yaml").write_text(f"x:\n{text}")
    with pytest.raises(UserError) as caught:
        build(load_specification("x", tmp_path / "x.yaml"), 0)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


ASSIGNMENTS = [
    # what is typed behind --set, and the value or the message
    (["agent.gamma=.9"], 0.9), (["agent.gamma=9e-1"], 0.9), ([" agent.gamma = 0.9 "], 0.9),
    (["'agent.gamma=0.9'"], 0.9), (['"agent.gamma=0.9"'], 0.9), (["agent.gamma=0.9\r"], 0.9),
    (["agent.gamma=0,9"], "must be a number, not '0,9'; write 0.9"),
    (["agent.gamma='0.9'"], "must be a number, not '0.9'; write 0.9"),
    (["agent.gamma="], "must be a number, not ''"),
    (["agent.gamma", "0.9"], "'agent.gamma' is not KEY=VALUE, without spaces around '=', such as "
     "agent.gamma=0.9"),
    (["agent.gamma", "=", "0.9"], "such as agent.gamma=0.9"),
    (["agent.gamma", "train.steps=3"], "such as optimizer.learning_rate=0.001"),
    (["agent.gamma:", "0.9"], "such as agent.gamma=0.9"),
    (["agent.gamma:0.9"], "such as agent.gamma=0.9"),
    (["agent.gamma=", "0.9"], "'0.9' is not KEY=VALUE, without spaces around '='"),
    (["agent.gamma=0.9,train.steps=2000"], "put a space before 'train.steps', not ','"),
    (["agent.gamma=0.9; train.steps=2000"], "put a space before 'train.steps', not ';'"),
    (["agent.Gamma=0.9"], "did you mean 'gamma'?"),
    (["Agent.gamma=0.9"], "did you mean 'agent'?"),
    (["agent.gamma=\N{MINUS SIGN}0.9"], "agent.gamma must be a number"),
    (["agent={name: DQN, gamma: 9e-1}"], 0.9),
    (['agent={"name":"DQN","gamma":0.9}'], 0.9),
    (["agent={name:DQN,gamma:0.9}"], "--set: agent: 'name:DQN' lacks a space behind the colon"),
    (["agent={name: DQN"], "--set: agent: while parsing"),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "expected"), ASSIGNMENTS, ids=[str(a) for a, _ in ASSIGNMENTS])
def test_an_assignment(typed: list[str], expected: Any) -> None:
    if isinstance(expected, float):
        specification = load_specification("cartpole_dqn", overrides=typed)
        assert build(specification, 0).specification.values["agent"]["gamma"] == expected
        return
    with pytest.raises(UserError) as caught:
        build(load_specification("cartpole_dqn", overrides=typed), 0)
    assert expected in str(caught.value)


def test_what_was_a_text_behind_set_remains_one() -> None:
    for text in ("[draft] of it", "a: b", "50% # more", "a, b=c", "*", "&x", "- 1", "don't", "'"):
        assignment = f"description={text}"
        assert (
            load_specification("cartpole_dqn", overrides=assignment).values["description"] == text
        )


NUMBERS = [("1e3", 1000), ("1_000", 1000), ("+5", 5), (" 7 ", 7), ("1E2", 100), ("007", 7),
           ("5.", 5), ("'8'", 8), ("0x10", 16)]  # fmt: skip
NO_NUMBERS = [("10k", "write 10000"), ("1,000", "write 1000"), ("1.5M", "write 1500000"),
              ("1.5e0", "not '1.5e0'"), ("three", "not 'three'"), ("inf", "not 'inf'"),
              ("true", "not 'true'"), ("1e999", "not '1e999'"), ("", "not ''")]  # fmt: skip


def test_numbers_of_options() -> None:
    for text, number in NUMBERS:
        assert (positive(text), natural(text)) == (number, number)
        assert type(positive(text)) is int
    for text, said in NO_NUMBERS:
        for kind in (positive, natural):
            with pytest.raises(argparse.ArgumentTypeError, match=f"must be a whole number.*{said}"):
                kind(text)
    assert (factor("5e-1"), factor(".5"), factor("2")) == (0.5, 0.5, 2.0)
    for text in ("0,5", "0", "nan", "1e999", "slow"):
        with pytest.raises(argparse.ArgumentTypeError, match="greater than 0, not"):
            factor(text)
    assert [checkpoint(text) for text in ("5,000", "5e3", "best", "5000")] == [
        "5000", "5000", "best", "5000",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("0,5", "0.5"), ("-0,5", "-0.5"), ("1,000", "1000"), ("1,000,000", "1000000"),
        ("1 000", "1000"), ("1'000", "1000"), ("10k", "10000"), ("1.5 M", "1500000"),
        ('"3"', "3"), ("3e-4", "0.0003"), ("1.000,5", None), ("k", None), ("3x", None),
        ("1e400", None), ("nan!", None), ("", None),
    ],
)  # fmt: skip
def test_the_number_that_was_meant(text: str, near: str | None) -> None:
    assert near_number(text) == near


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "x", "--evaluate_every", "100"], "--set train.evaluate_every=100"),
        (["run", "x", "--evaluate-every=100"], "--set train.evaluate_every=100"),
        (["run", "x", "--train.steps", "100"], "--set train.steps=100"),
        (["search", "x", "--agent.gamma=0.9"], "--set agent.gamma=0.9"),
        (["run", "x", "agent.gamma=0.9"], "--set agent.gamma=0.9"),
        (["run", "x", "--gamma", "0.9"], "--set agent.gamma=0.9"),
        (["run", "x", "--lr", "0.9"], "--set optimizer.learning_rate=0.9"),
        (["run", "x", "--hidden"], "--set network.hidden=VALUE"),
        (["run", "x", "--no_report"], "did you mean '--no-report'?"),
        (["run", "x", "--Seed", "3"], "did you mean '--seed'?"),
        (["run", "x", "--ray_address", "a:1"], "did you mean '--ray-address'?"),
        (["evaluate", "x", "--gamma", "0.9"], "unrecognized arguments: --gamma 0.9"),
        (["search", "x", "--from", "y"], "--from y; --from is an option of `rl run`"),
        (["run", "x", "--gif=a.gif"], "--gif is an option of `rl watch`"),
        (["resume", "x", "--set", "a=1"], "--set is an option of `rl run`, `rl search`"),
        (["run", "x", "y"], "unrecognized arguments: y; see `rl run --help`"),
        (["run", "x", "--steps", "10k"], "argument --steps: must be a whole number, not '10k'; "
         "write 10000"),
        (["Run", "x"], "unknown verb 'Run'; did you mean 'run'?"),
    ],
)  # fmt: skip
def test_an_option_that_is_none(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert said in message
    assert message.count("\n") == 1


texts = st.sampled_from([text for text, _ in READ] + ["010", "08", "<<", "<", "#", "a: b", "é"])
leaves = (
    texts | st.text(max_size=6) | st.booleans() | st.none() | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False) | texts.map(lambda text: f"{text} ")
)  # fmt: skip
trees = st.recursive(
    leaves, lambda each: st.lists(each, max_size=3) | st.dictionaries(texts | st.text(), each),
    max_leaves=6,
)  # fmt: skip


@given(st.dictionaries(texts.filter(bool) | st.sampled_from(["agent"]), trees, max_size=4))
def test_what_is_written_reads_back(tmp_path_factory: Any, values: dict[str, Any]) -> None:
    file = tmp_path_factory.getbasetemp() / "written.yaml"
    write_specification(file, "x", values)
    from rl.storage.texts import parse_yaml

    text = file.read_text(encoding="utf-8")
    for read in (parse_yaml(text), yaml.safe_load(text)):
        assert json.dumps(read) == json.dumps({"x": values})
    assert json.dumps(read_specification(file, "x")) == json.dumps(values)


def test_a_value_that_stands_twice_is_written_twice(tmp_path: Path) -> None:
    block = {"low": 1e-5, "high": 1e-3}
    write_specification(tmp_path / "x.yaml", "x", {"a": block, "b": block})
    assert "&" not in (tmp_path / "x.yaml").read_text()


EXPERIMENT = "problem: CartPole-v1\nagent: {name: DQN}\ntrain: {steps: 2000}\n"
INDENTED = "x:\n" + "".join(f"  {line}\n" for line in EXPERIMENT.splitlines())


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.yaml", b"\xef\xbb\xbf" + INDENTED.encode()),
        ("a.yaml", INDENTED.replace("\n", "\r\n").encode()),
        ("a.yaml", INDENTED.replace("\n", "   \n").encode()),
        ("a.YML", INDENTED.encode()),
        ("a.JSON", b'\xef\xbb\xbf{"x": {"problem": "CartPole-v1", "agent": {"name": "DQN"}}}'),
        ("a", INDENTED.encode()),
    ],
)
def test_a_file_as_editors_write_it(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    found = load_specification(" x ", str(tmp_path / name))
    assert found.values["problem"] == "CartPole-v1"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.yaml", "", "; it is empty"),
        ("a.yaml", "\n# nothing\n", "; it is empty"),
        ("a.json", "", "is not valid JSON"),
        ("a.json", INDENTED, "it is YAML: let its name end in .yaml"),
        ("a.yaml", EXPERIMENT, "put a line NAME: above these keys, and indent them"),
        ("a.json", '{"format": 1, "experiment": "x", "specification": {}}', "a run's manifest"),
        ("a.yaml", "x:\n\tproblem: CartPole-v1", "indent with spaces, not with tabs"),
    ],
)
def test_a_file_that_is_no_specification(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as caught:
        load_specification("x", tmp_path / name)
    assert said in str(caught.value)


def test_utf_16_and_a_file_in_place_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(INDENTED.encode("utf-16"))
    with pytest.raises(UserError, match="it is not UTF-8 text; save it as such"):
        load_specification("x", tmp_path / "a.yaml")
    with pytest.raises(UserError, match=r"a file of experiments: NAME --spec a\.yaml"):
        load_specification("a.yaml")


def test_a_runs_folder_and_its_specification(tmp_path: Path) -> None:
    values = {"problem": "CartPole-v1", "agent": {"name": "DQN", "gamma": 1e-5}}
    RunFolder.create(tmp_path / "r", "x", values, ["rl"], [0])
    for file in (tmp_path / "r", tmp_path / "r/spec.yaml"):
        assert load_specification("x", file).values == values


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert user_path("~/x") == tmp_path / "x"
    assert user_path(Path("~")) == tmp_path
    assert user_path(" '~/x' ") == tmp_path / "x"
    assert user_path("./~x") == Path("./~x").absolute()
    assert user_path("a~/b") == Path("a~/b").absolute()
    with pytest.raises(UserError, match="no home folder of that user"):
        user_path("~nobody_of_that_name/x")


def test_every_path_of_the_command_line_knows_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cartpole_run: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.yaml").write_text(INDENTED)
    (tmp_path / "run").symlink_to(cartpole_run, target_is_directory=True)
    monkeypatch.chdir(cartpole_run)
    assert main(["run", "x", "--spec=~/b.yaml"]) == 2
    assert f"{tmp_path}/b.yaml: cannot be read" in capsys.readouterr().err
    assert main(["evaluate", "~/run", "--episodes", "1e0", "--checkpoint", "3,000"]) == 0
    assert main(["watch", "~/run", "--gif=~/nowhere/a.gif"]) == 2
    assert f"no folder {tmp_path}/nowhere" in capsys.readouterr().err
    assert main(["export", "~/run", "--output=~/p.npz"]) == 0
    assert (tmp_path / "p.npz").exists()
    assert main(["dashboard", "~/nowhere"]) == 2
    assert f"{tmp_path}/nowhere: there is no such folder" in capsys.readouterr().err
    assert not Path("~").exists()


def test_a_specification_of_python_is_not_changed() -> None:
    values = {"problem": "CartPole-v1", "agent": {"name": "DQN"}, "train": {"steps": 2000}}
    assert Specification("x", "x", values).override([]).values == values
