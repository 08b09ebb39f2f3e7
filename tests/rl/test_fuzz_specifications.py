"""No specification, however wrong, gives a traceback, a hang, or a file.

Each case is accepted, or refused by one `UserError` whose message is one line and names the file,
or --set, and the key. The cases are the same in every run.
"""

from __future__ import annotations

import contextlib
import copy
import datetime
import functools
import json
import math
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from nn import limits
from rl.environments import Transitions
from rl.environments.registered import is_installed
from rl.errors import Diverged, UserError
from rl.search.settings import read_search
from rl.session.job import Job
from rl.session.session import Session
from rl.specification.build import Experiment, build
from rl.specification.keys import KEYS
from rl.specification.specification import (
    Specification,
    all_specifications,
    check_form,
    load_specification,
    read_specifications,
)
from rl.storage.session_folder import SessionFolder
from tests.rl.conftest import quick

SPECIFICATIONS = {name: each for name, each in all_specifications().items()
                  if is_installed(each.environment_id)}  # fmt: skip
LONGEST = 1000  # characters of a message


def cases(number: int) -> settings:
    """So many cases, the same in every run; nothing is kept on disk."""
    return settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )


def nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"then": value}
    return value


NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 2, 3, 0.5, 1.5, 0.999999, 500, 10**5, -(10**12), 10**12, 2**53, 2**53 + 1, 2**63,
    10**30, 10**400, 1e-320, 1e-38, 1e-30, 1e12, 1e38, 1e308, -1e308, math.nan, math.inf, -math.inf,
)  # fmt: skip
TEXTS = (
    "", " ", "x", "nan", "1e400", "../../x", "/etc/passwd", "a\nb", "\x1b[31m", "\u2028", "\ud800",
    "\0", "é" * 2_000, "Adam", "SGD", "None", "Replay", "Prioritized", "Rollout", "Stack", "linear",
    "cosine", "exponential", "DQN", "ActorCritic", "DDPG", "Boltzmann", "Gaussian",
    "PeriodicEpsilonGreedy", "CartPole-v1", "Pendulum-v1", "FrozenLake-v1", "Blackjack-v1",
    "phys2d/CartPole-v1", "-v1", "a:b", "a/b/c-v0",
)  # fmt: skip
BLOCKS: tuple[Any, ...] = (
    {}, {"": 0}, {"a": {"b": 1}}, {3: 4}, {"name": "cosine"},
    {"name": "step", "start": 1, "factor": 1e38, "every": 1},
    {"name": "step", "start": 1, "factor": -2, "every": 1},
    {"name": "linear", "start": 0.1, "end": -0.1, "steps": 9},
    {"name": "exponential", "start": 1e38, "end": 1e-38, "steps": 2},
    {"name": "warmup", "steps": 9, "then": {}},
    {"name": "warmup", "steps": 2, "then": {"name": "warmup", "steps": 3, "then": 0.1}},
)  # fmt: skip
LISTS: tuple[Any, ...] = ([], [[]], [None], [1, "a"], [1] * 1_000, [10**6] * 3, [0], [True], [8])
OTHERS = (None, True, False, nested(15), nested(60), datetime.date(2026, 1, 31))

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
names = st.sampled_from([*KEYS, "name", "x", "actor", "steps", "learning_rate", "space", "hidden"])
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | scalars, inner, max_size=4),
    max_leaves=12,
)
anything = st.sampled_from((*NUMBERS, *TEXTS, *BLOCKS, *LISTS, *OTHERS)) | documents


ALIKE = {
    bool: st.booleans(),
    int: st.sampled_from(NUMBERS),
    float: st.sampled_from(NUMBERS + BLOCKS) | st.floats(),
    str: st.sampled_from(TEXTS),
}  # values of a kind get further than others do
compounds = st.sampled_from(BLOCKS + LISTS)


def refused(attempt: Callable[[], Any], source: object, key: str = ".") -> bool:
    """Whether it is refused, for which the message must name its source and then the key."""
    try:
        attempt()
    except UserError as error:
        message = str(error)
        assert message.isprintable()
        assert len(message) <= LONGEST
        assert re.match(rf"({re.escape(str(source))}: |--set: ){key}", message), message
        return True
    return False


def checked(specification: Specification) -> Experiment:
    check_form(specification)
    return build(specification, seed=0)


@functools.cache
def complete(name: str) -> dict[str, Any]:
    """The values of an experiment of the lab, with every default filled in."""
    return build(SPECIFICATIONS[name], seed=0).specification.values


Place = tuple[str, ...]
experiments = st.sampled_from(sorted(SPECIFICATIONS))
few, upto_99 = st.sampled_from([1, 1, 1, 2, 3]), st.integers(0, 99)
misnomers = st.sampled_from(["names", "step", "x", "name", "\n", ""])


def places(values: dict[str, Any], at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Each value and each block, with where it stands."""
    for key, value in values.items():
        yield (*at, key), value
        if isinstance(value, dict):
            yield from places(value, (*at, key))


@functools.cache
def settings_of(name: str) -> list[tuple[Place, Any]]:
    return [each for each in places(complete(name)) if each[0][0] not in ("search", "description")]


def put(values: Any, place: Place, value: Any) -> None:
    *blocks, key = place
    for block in blocks:
        values = values.get(block) if isinstance(values, dict) else None
    if isinstance(values, dict):
        values[key] = value


SOON = {
    "batch_size": 8, "learn_start": 8, "learn_every": 1, "horizon": 8, "minibatches": 2, "lanes": 2,
}  # fmt: skip


def learning_soon(values: dict[str, Any]) -> dict[str, Any]:
    """The same values with an agent that learns within a few steps."""
    values = copy.deepcopy(values)
    for place, _ in list(places(values)):
        if place[-1] in SOON:
            put(values, place, SOON[place[-1]])
    return values


@st.composite
def mutants(draw: st.DrawFn, soon: bool = False) -> Specification:
    """An experiment of the lab with one to three of its values replaced, added or misnamed."""
    name = draw(experiments)
    given = SPECIFICATIONS[name].values
    values = learning_soon(complete(name)) if soon else copy.deepcopy(given)
    known = settings_of(name)
    for _ in range(draw(few)):
        place, value = known[draw(upto_99) % len(known)]
        if draw(upto_99) < 10:
            place = (*place[:-1], draw(misnomers))
        new = draw(anything if draw(upto_99) < 20 else ALIKE.get(type(value), compounds))
        put(values, place, copy.deepcopy(new))
    return Specification("mutant", "mutant.json", values)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the cases run, and where nothing but their own file may be left."""
    return tmp_path_factory.mktemp("cases")


@pytest.fixture(autouse=True)
def _nothing_is_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(folder)
    yield
    assert [path for path in folder.iterdir() if path.stem != "case"] == []


@pytest.mark.slow
@cases(900)
@given(mutants())
def test_an_experiment_with_wrong_values(specification: Specification) -> None:
    refused(lambda: checked(specification), "mutant.json", "mutant: .")


class Enough(Exception):
    """A session has run long enough."""


def stop_after(session: Session, steps: int) -> None:
    observe = session.agent.observe

    def counted(transitions: Transitions) -> None:
        observe(transitions)
        if session.agent.steps >= steps:
            raise Enough

    session.agent.observe = counted  # type: ignore[method-assign]


@cases(150)
@given(mutants(soon=True))
@pytest.mark.slow
def test_an_accepted_experiment_runs(specification: Specification) -> None:
    """It learns or diverges; either is an answer."""
    if refused(lambda: checked(specification), "mutant.json", "mutant: ."):
        return
    with tempfile.TemporaryDirectory() as place, contextlib.suppress(Enough, Diverged):
        SessionFolder(Path(place)).create()
        session = Session(Job(specification, 0, Path(place)), build(specification, seed=0))
        stop_after(session, 60)
        session.run()


def load(path: Path, text: str | bytes) -> None:
    """Reads a file with this text, and builds every experiment that it has."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    for name in read_specifications(path):
        build(load_specification(name, path), seed=0)


FRAGMENTS = st.sampled_from(
    ["{", "}", "[", "]", ":", ": ", ",", "- ", "\n", "\n  ", "&a ", "*a", "<<", "!!int ", "!!map ",
     "!!python/name:os.system ", "!x ", "'", '"', "|", ">", "?", "%", "@", "#", "---", "...", "~",
     "null", "1e400", ".nan", "0x" + "f" * 5_000, "9" * 5_000, "2026-99-99", "=", "x", "agent",
     "problem", "\t", "\x00", "\ufeff", "\ud800", "[" * 3_000, "{x: " * 3_000]
)  # fmt: skip


@pytest.mark.parametrize("name", quick(1, ["case.yaml", "case.json"]))
@cases(250)
@given(st.lists(FRAGMENTS, max_size=12).map("".join) | st.binary(max_size=40))
def test_a_file_of_any_text(folder: Path, name: str, text: str | bytes) -> None:
    refused(lambda: load(folder / name, text), folder / name)


@cases(250)
@given(documents)
def test_a_file_of_any_values(folder: Path, values: Any) -> None:
    text = json.dumps(values, default=str, skipkeys=True)
    refused(lambda: load(folder / "case.json", text), folder / "case.json")


@cases(250)
@given(
    st.sampled_from([".".join(place) for place, _ in places(complete("cartpole_dqn"))]) | st.text(),
    st.sampled_from((*NUMBERS, *TEXTS, *LISTS)).map(str) | st.text() | documents.map(repr),
)
def test_any_assignment(path: str, text: str) -> None:
    def attempt() -> None:
        build(SPECIFICATIONS["cartpole_dqn"].override([f"{path}={text}"]), seed=0)

    refused(attempt, SPECIFICATIONS["cartpole_dqn"].source, "(cartpole_dqn: )?.")


EXPERIMENT = {"problem": "CartPole-v1", "agent": {"name": "DQN"}, "train": {"steps": 1500}}
search_keys = ["method", "trials", "sessions", "seed", "pruner", "statistic", "space", "x"]
dimensions = st.lists(anything, max_size=3) | st.dictionaries(
    st.sampled_from(["low", "high", "log", "points", "lo"]), anything
)
parameters = ["optimizer.learning_rate", "network.hidden", "agent", "agent.name", "problem.id", "x"]


@cases(250)
@given(
    st.dictionaries(st.sampled_from(search_keys), anything, max_size=3),
    st.dictionaries(st.sampled_from(parameters) | st.text(max_size=5), dimensions, max_size=3),
)
def test_any_search(block: dict[str, Any], space: dict[str, Any]) -> None:
    search = {"space": space, **block}
    specification = Specification("mutant", "mutant.json", {**EXPERIMENT, "search": search})

    def attempt() -> None:
        check_form(specification)
        read_search(specification)

    refused(attempt, "mutant.json", "mutant: search")


def laughs(key: str) -> str:
    """YAML of thirteen lines that stands for 10^12 values, if its aliases are followed."""
    lines = (f"b{i}: &a{i + 1} {{{key}: [{', '.join([f'*a{i}'] * 10)}]}}" for i in range(12))
    return "\n".join(["a: &a0 {problem: x}", *lines])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("case.yaml", laughs("c"), "the alias *a0 is not followed"),
        ("case.yaml", laughs("<<"), "the alias *a0 is not followed"),
        ("case.yaml", "x: &a [*a]", "the alias *a is not followed"),
        ("case.yaml", "x: !!python/object/apply:os.mkdir [pwned]", "python/object/apply:os.mkdir"),
        ("case.yaml", "x: !!int ''", "the tag tag:yaml.org,2002:int is not allowed"),
        ("case.yaml", "x: {a: 1, a: 2}", "the key 'a' is there twice"),
        ("case.json", '{"x": {"a": 1, "a": 2}}', "the key 'a' is there twice"),
        ("case.json", "[" * 100_000, "is nested too deeply"),
        ("case.json", " " * 200_001, "is no specification: it has more than 200,000 char"),
        ("case.yaml", "../../x: {}", "'../../x' cannot be the name of an experiment"),
        ("case.yaml", "..: {}", "'..' cannot be the name of an experiment"),
        ("case.yaml", "/tmp/x: {}", "'/tmp/x' cannot be the name of an experiment"),
        ("case.yaml", "7: {}", "7 cannot be the name of an experiment"),
    ],
)  # fmt: skip
def test_a_harmful_file_is_refused(folder: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        load(folder / name, text)
    assert str(error.value).startswith(f"{folder / name}: ")
    assert said in str(error.value)


WRONG = [
    ("memory.capacity=1000000000000", r"memory.capacity of 1000000000000 would need 4\d,\d+ GB"),
    ("network.hidden=[1000000,1000000]", "network.hidden .* would need 36,000 GB of memory"),
    ("train.lanes=1000000000000", "train.lanes must be at most 10000"),
    ("train.extended_episodes=1000000000000", "train.extended_episodes must be at most 100000"),
    ("train.evaluate_episodes=200", "train.evaluate_episodes must be at most 100,"),
    ("agent.gamma=NaN", "agent.gamma must be a finite number within the range of float32, not nan"),
    ("agent.n_step=1e30", r"agent.n_step must be an integer, not 1e\+30"),
    ("optimizer.epsilon=0", "optimizer.epsilon must be greater than 0"),
    ("optimizer.learning_rate=1e-50", "optimizer.learning_rate .* the range of float32"),
    ('optimizer.learning_rate={"name":"linear","start":0.1,"end":-0.1,"steps":9}',
     "optimizer.learning_rate must not be negative, but is -0.1"),
    ('preprocessor={"name":"Stack","length":1000000000}', "preprocessor.length .* at most 1000,"),
    ("network.activation=rellu", "network.activation names an unknown activation 'rellu'"),
    ("import=a..b", "import must be the name of a package, not 'a..b'"),
    ("problem=phys2d/CartPole-v1", "problem does not fit: .* needs a package that is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("assignment", "said"), WRONG, ids=[each for each, _ in WRONG])
def test_an_absurd_setting_is_refused_by_its_key(assignment: str, said: str) -> None:
    with pytest.raises(UserError, match=f"^--set: {said}"):
        build(SPECIFICATIONS["cartpole_dqn"].override([assignment]), seed=0)


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("cartpole_dqn", ["memory.capacity=1000000", "memory.batch_size=1000000"],
         "memory.batch_size of 1000000"),
        ("cartpole_dqn", ["memory.capacity=30000000"], "memory.capacity of 30000000"),
        ("cartpole_actor_critic", ["memory.horizon=100000", "train.steps=10000000"],
         "memory.horizon of 100000"),
        ("cartpole_dqn", ["network.hidden=[6000,6000]"], r"network.hidden of \[6000, 6000\]"),
    ],
)  # fmt: skip
def test_what_would_not_fit_into_memory_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, settings: list[str], said: str
) -> None:
    specification = SPECIFICATIONS[name].override(settings)
    monkeypatch.setattr(limits, "machine_memory", lambda: 1e9)
    with pytest.raises(UserError, match=rf"--set: {said} would need \d GB of memory"):
        build(specification, seed=0)


def test_a_package_is_imported_when_an_experiment_is_built_and_no_sooner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "brought_by_a_test.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    values = {**EXPERIMENT, "import": "brought_by_a_test"}
    (tmp_path / "a.json").write_text(json.dumps({"x": values}))
    specification = load_specification("x", tmp_path / "a.json", ["train.steps=2000"])
    assert "brought_by_a_test" not in sys.modules
    with pytest.raises(UserError, match=r"import names .* \(RuntimeError: imported\)"):
        build(specification, seed=0)
