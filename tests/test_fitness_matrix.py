"""The fitness matrix: its rows, what it keeps, which sessions are due, and where it writes."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rl.environments.problems import known_problems
from rl.specification.specification import Specification, all_specifications
from rl.storage.run_folder import RunFolder
from tests.programs import program
from tests.rl.conftest import evaluation

RESULTS = Path(__file__).parents[1] / "docs" / "RESULTS.md"
TABLES = ("fitness matrix", "fitness grid", "returns in training", "missing cells",
          "earlier fitness matrix")  # fmt: skip


@pytest.fixture
def matrix() -> Any:
    """The program as a module."""
    return program("fitness_matrix")


@pytest.fixture
def drawn() -> Any:
    """The module of its tables."""
    return program("fitness_tables")


def row(matrix: Any, seed: int, mean_return: float | None, **more: object) -> dict[str, str]:
    """A row of `cartpole_dqn`; without a return it diverged."""
    name = "cartpole_dqn"
    values: dict[str, object] = {
        "experiment": name, "seed": seed,
        "settings": matrix.settings_of(all_specifications()[name]),
        "status": "finished", "solved": 0, "mean_return": mean_return, "last": 5.0,
        "trained": 4.0, "steps": 1000, "seconds": 2.0, "power": 3.0, "stability": 0.5,
        "power_2017": 2.0, "stability_2017": 1.0, "solved_2017": 0, **more,
    }  # fmt: skip
    return {key: "" if value is None else str(value) for key, value in values.items()}


def cell(matrix: Any, rows: list[dict[str, str]], planned: int = 5) -> Any:
    return matrix.Cell(all_specifications()["cartpole_dqn"], planned, rows)


def test_a_line_by_hand(matrix: Any, drawn: Any) -> None:
    """Returns 100, 200, 300, 400 and 1,000; a quarter of five is one at each end.

    The lab's fitness: power 3, stability 0.5, one of five solved: 3 * 1.5 * 1.2^2.
    """
    rows = [row(matrix, 0, 300.0), row(matrix, 1, 100.0), row(matrix, 2, 1000.0, solved=1),
            row(matrix, 3, 200.0), row(matrix, 4, 400.0, steps=60_000, seconds=9.0)]  # fmt: skip
    line = dict(zip(drawn.HEADER, drawn.line(cell(matrix, rows)), strict=True))
    low, high = map(float, line.pop("95% interval").split(" to "))
    assert 100 < low < 400 < high < 1000
    assert line == {
        "experiment": "cartpole_dqn", "agent": "DQN", "mean return": "400.0", "IQM": "300.0",
        "worst": "100.0", "each seed": "300 100 1,000 200 400", "last": "5.00", "solved": "1 of 5",
        "steps, median and most": "1,000, 60,000", "s": "2", "fitness": f"{3 * 1.5 * 1.44:.3g}",
        "published": "[500 in 50k][zoo] (DQN)",
        "short of it": "by 100.0, in more steps; [tried](TUNING.md#decaying-learning-rates-dqn-"
                       "and-double-dqn)",
    }  # fmt: skip


def test_a_session_that_diverged_counts_as_a_failure(matrix: Any, drawn: Any) -> None:
    """fitness_2017: power 2, stability 1, none of two solved: 2 * 2 * 1."""
    lost = row(matrix, 1, None, status="diverged", last=None, power=None, stability=None,
               power_2017=None, stability_2017=None, solved_2017=None)  # fmt: skip
    found = cell(matrix, [row(matrix, 0, 480.0, solved=1), lost], 2)
    line = dict(zip(drawn.HEADER, drawn.line(found), strict=True))
    assert (line["worst"], line["each seed"]) == ("diverged", "480 diverged")
    assert (line["mean return"], line["solved"]) == ("480.0", "1 of 2")
    assert found.fitness == pytest.approx(3 * 1.5 * 1.5**2)
    assert found.fitness_2017 == pytest.approx(4.0)


def test_a_cell_at_its_figure_falls_short_of_nothing(matrix: Any, drawn: Any) -> None:
    rows = [row(matrix, seed, 500.0) for seed in range(5)]
    assert drawn.line(cell(matrix, rows))[-1] == ""


def test_a_figure_of_training_is_compared_with_the_returns_of_training(
    matrix: Any, drawn: Any
) -> None:
    """Breakout's published 9.2: 8.0 in training is short of it by 1.2, whatever the greedy one."""
    rows = [row(matrix, seed, 20.0, trained=trained) for seed, trained in enumerate((7.0, 9.0))]
    found = matrix.Cell(all_specifications()["breakout_dqn"], 2, rows)
    assert drawn.line(found)[-1].startswith("by 1.2; ")
    table = drawn.tables([found, cell(matrix, rows, 2)])["returns in training"]
    assert table.splitlines()[2:] == [
        "| breakout_dqn | DQN | 8.00 | 7.00 9.00 | [9.2 in 1M][minatar] (DQN) | 20.0 | 2 |"
    ]


def test_every_experiment_has_its_published_figure(drawn: Any) -> None:
    assert set(all_specifications()) == set(drawn.PUBLISHED)


CONTINUOUS = ("MountainCarContinuous-v0", "Pendulum-v1", "LunarLanderContinuous-v3",
              "BipedalWalker-v3", "Hopper-v5")  # fmt: skip
TABLE = {
    "PPO": {"CartPole-v1", "Acrobot-v1", "MountainCar-v0", "LunarLander-v3",
            "MountainCarContinuous-v0", "Pendulum-v1", "LunarLanderContinuous-v3",
            "BipedalWalker-v3", "Hopper-v5"},
    "QRDQN": {"CartPole-v1", "Acrobot-v1", "MountainCar-v0", "LunarLander-v3"},
    "SAC": {*CONTINUOUS},
    "TD3": {*CONTINUOUS},
}  # fmt: skip


@pytest.mark.parametrize("agent", TABLE)
def test_each_agent_has_an_experiment_on_every_problem_that_it_fits(agent: str) -> None:
    there = {each.environment_id for each in all_specifications().values()
             if each.values["agent"]["name"] == agent}  # fmt: skip
    assert there >= TABLE[agent]


def test_no_experiment_takes_more_steps_than_its_figure(drawn: Any) -> None:
    """Which would be no comparison, but for the ones that TUNING.md and the table name."""
    longer = {
        name
        for name, figure in drawn.PUBLISHED.items()
        if figure and all_specifications()[name].values["train"]["steps"] > figure.steps
    }
    assert longer == set()


@pytest.mark.parametrize("name", sorted(all_specifications()))
def test_what_was_tried_is_under_a_heading_of_the_log(name: str, drawn: Any) -> None:
    text = RESULTS.with_name("TUNING.md").read_text()
    headings = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-")
                for each in re.findall(r"^#+ (.*)$", text, re.M)}  # fmt: skip
    assert drawn.tried(name) in headings


@pytest.mark.parametrize(
    ("name", "count"),
    [("lunarlander_dqn", 20), ("cartpole_dqn", 10), ("pendulum_ppo", 10), ("hopper_td3", 3),
     ("bipedalwalker_sac", 3), ("lunarlander_continuous_sac", 5), ("breakout_dqn", 3)],
)  # fmt: skip
def test_how_many_seeds(name: str, count: int, matrix: Any) -> None:
    assert name in all_specifications()
    assert matrix.planned(name) == count


def test_each_exception_is_of_an_experiment(matrix: Any) -> None:
    known = all_specifications()
    for pattern in matrix.SESSIONS:
        assert matrix.fnmatch.filter(known, pattern)


def outcome(mean_return: float, **more: object) -> dict[str, Any]:
    found = {**evaluation(mean_return), "solved": mean_return >= 475}
    return {"status": "finished", "episodes": 3, "steps": 9, "seconds": 1.0, "best_step": 9,
            "evaluation": found, "final": found, **more}  # fmt: skip


class Commands:
    """Stands in for `rl`: notes what it is asked, and writes a session's folder."""

    def __init__(self, folder: Path, outcome: dict[str, Any]) -> None:
        self.asked: list[tuple[str, ...]] = []
        self._folder, self.outcome = folder, outcome

    def __call__(self, verb: str, *arguments: Any) -> str:
        self.asked.append((verb, str(arguments[0])))
        path = Path(arguments[arguments.index("--output") + 1] if verb == "run" else arguments[0])
        session = RunFolder(path).session().path
        session.mkdir(parents=True, exist_ok=True)
        (path / "spec.yaml").touch()
        (path / "manifest.json").touch()
        (session / "session.json").write_text(json.dumps(self.outcome))
        (session / "episodes.csv").write_text("return\n0\n0\n1600\n")
        (session / "evaluations.csv").write_text("step,mean_return\n5,100\n9,300\n")
        if self.outcome["status"] == "diverged":
            raise subprocess.CalledProcessError(3, verb)
        return ""


@pytest.fixture
def commands(matrix: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    made = Commands(tmp_path, outcome(300.0))
    monkeypatch.setattr(matrix.common, "rl", made)
    return made


def test_a_session_is_run_once_and_again_if_its_settings_change(
    matrix: Any, tmp_path: Path, commands: Commands
) -> None:
    """Two sessions solve CartPole (475) in their third episode, of the returns 0, 0, 1600.

    Its row: power 300 / 3, no stability, as no evaluation came near 475; of 2017, power
    1600 / 3 / 3, no stability, as the last episode is the only one above, and solved.
    """
    specification = all_specifications()["cartpole_dqn"]
    for _ in range(2):
        found = matrix.session(specification, 3, tmp_path)
    assert commands.asked == [("run", "cartpole_dqn")]
    expected = {"mean_return": "300", "power": "100", "stability": "0", "solved": "0",
                "power_2017": "177.778", "stability_2017": "0", "solved_2017": "1",
                "seed": "3", "steps": "9"}  # fmt: skip
    assert found.items() >= expected.items()
    assert tuple(found) == matrix.COLUMNS
    values = {**specification.values, "description": "another", "search": {}}
    matrix.session(Specification("cartpole_dqn", "test", values), 3, tmp_path)
    assert len(commands.asked) == 1
    values = {**specification.values, "network": {"hidden": [3]}}
    matrix.session(Specification("cartpole_dqn", "test", values), 3, tmp_path)
    assert len(commands.asked) == 2


def test_an_interrupted_session_is_resumed(matrix: Any, tmp_path: Path, commands: Commands) -> None:
    specification = all_specifications()["cartpole_dqn"]
    commands.outcome = {"status": "interrupted"}
    assert matrix.session(specification, 0, tmp_path) is None
    commands.outcome = outcome(300.0)
    assert matrix.session(specification, 0, tmp_path)
    path = matrix.place(specification, 0, tmp_path).path.parents[1]
    assert commands.asked == [("run", "cartpole_dqn"), ("resume", str(path))]


def test_what_has_no_manifest_yet_is_run_anew(
    matrix: Any, tmp_path: Path, commands: Commands
) -> None:
    specification = all_specifications()["cartpole_dqn"]
    matrix.place(specification, 0, tmp_path).path.mkdir(parents=True)
    assert matrix.session(specification, 0, tmp_path)
    assert commands.asked == [("run", "cartpole_dqn")]


def test_a_session_that_diverged_has_a_row(matrix: Any, tmp_path: Path, commands: Commands) -> None:
    commands.outcome = {"status": "diverged", "steps": 9, "seconds": 1.0, "episodes": 3}
    found = matrix.session(all_specifications()["cartpole_dqn"], 0, tmp_path)
    assert (found["status"], found["solved"], found["mean_return"]) == ("diverged", "0", "")


def options(folder: Path, **more: Any) -> argparse.Namespace:
    return argparse.Namespace(**{
        "only": ["cartpole_d*qn"], "sessions": 3, "jobs": 1, "folder": folder, "part": (1, 1),
        "collect": None, "grid": False, "spec": None, **more,
    })  # fmt: skip


@pytest.fixture
def documents(matrix: Any, drawn: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with copies of the documents that the program writes to, and its rows."""
    monkeypatch.setattr(matrix, "ROWS", tmp_path / "rows.csv")
    for module, name in ((matrix.common, "RESULTS"), (drawn, "README")):
        copy = tmp_path / f"{name}.md"
        copy.write_text(getattr(module, name).read_text())
        monkeypatch.setattr(module, name, copy)
    return tmp_path


def test_machines_run_a_part_each_and_one_collects(
    matrix: Any, documents: Path, commands: Commands
) -> None:
    """Three seeds of two experiments, in two parts; then nothing is due any more."""
    folders = [documents / "one", documents / "two"]
    for number, folder in enumerate(folders, 1):
        (documents / "rows.csv").unlink(missing_ok=True)  # each machine has its own
        assert matrix.run(options(folder, part=(number, 2)), matrix.common.Parser()) == 0
        assert len(commands.asked) == 3 * number
    (documents / "rows.csv").unlink()
    matrix.run(options(documents / "mine", collect=folders), matrix.common.Parser())
    rows = (documents / "rows.csv").read_text().splitlines()
    assert [each.split(",")[:2] for each in rows[1:]] == [
        [name, str(seed)] for name in ("cartpole_dqn", "cartpole_double_dqn") for seed in range(3)
    ]
    matrix.run(options(documents / "mine"), matrix.common.Parser())
    assert len(commands.asked) == 6


def test_a_part_does_not_depend_on_what_has_a_row(matrix: Any, tmp_path: Path) -> None:
    specifications = [all_specifications()["cartpole_dqn"]]
    rows = matrix.rows_of(tmp_path / "rows.csv", ["cartpole_dqn"])

    def due(number: int) -> list[int]:
        found = matrix.cells(specifications, rows, 5)
        return [seed for _, seed in matrix.due_in(found, (number, 2))]

    assert (due(1), due(2)) == ([0, 2, 4], [1, 3])
    rows.add(row(matrix, 0, 500.0), row(matrix, 1, 500.0))
    assert (due(1), due(2)) == ([2, 4], [3])


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/0", "-1/2", "a/b"])
def test_a_part_is_k_of_n(text: str, matrix: Any) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="must be K/N, with K from 1 to N"):
        matrix.part(text)


SPOILED = {
    "another": ("a,b\n1,2\n", "has other columns than experiment, seed"),
    "conflict": ("<<<<<<< HEAD", "line 2 is no row"),
    "long": (",".join("x" * 20), "line 2 is no row"),
}


@pytest.mark.parametrize("kind", SPOILED)
def test_spoiled_rows_are_refused_in_one_line(
    kind: str, matrix: Any, documents: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    text, said = SPOILED[kind]
    head = "" if kind == "another" else ",".join(matrix.COLUMNS) + "\n"
    (documents / "rows.csv").write_text(f"{head}{text}\n")
    refused(matrix, monkeypatch, "--collect")
    message = capsys.readouterr().err
    assert f"{documents / 'rows.csv'}: {said}" in message
    assert message.count("\n") == 1


def refused(matrix: Any, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["fitness_matrix.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        matrix.main()
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--collect", "nowhere"), "--collect nowhere: there is no such folder"),
        (("--only", "nothing*"), "--only nothing*: there is none"),
        (("--part", "3/2"), "must be K/N, with K from 1 to N, not 3/2"),
    ],
)
def test_a_mistyped_option_is_refused(
    arguments: tuple[str, ...], said: str, matrix: Any, documents: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    refused(matrix, monkeypatch, *arguments)
    assert said in capsys.readouterr().err


def test_what_lacks_a_package_is_left_out(
    matrix: Any, documents: Path, commands: Commands, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(matrix, "is_installed", lambda id: id != "Hopper-v5")
    assert matrix.run(options(documents / "runs", only=["hopper_td3"]), matrix.common.Parser()) == 0
    assert commands.asked == []
    assert "hopper_td3: left out, as Hopper-v5 needs a package" in capsys.readouterr().out


def test_a_failed_session_is_named_and_the_others_are_measured(
    matrix: Any, documents: Path, commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.outcome = {"status": "failed", "reason": "x"}
    assert (
        matrix.run(options(documents / "runs", only=["cartpole_dqn"]), matrix.common.Parser()) == 1
    )
    assert "failed: cartpole_dqn 0, cartpole_dqn 1, cartpole_dqn 2" in capsys.readouterr().err
    assert len(commands.asked) == 3


def test_the_documents_have_what_is_complete_and_name_what_is_missing(
    matrix: Any, drawn: Any, documents: Path
) -> None:
    """`cartpole_dqn` leaves the earlier table, and its line of the README is renewed."""
    readme = documents / "README.md"
    readme.write_text("| CartPole-v1 | `rl run cartpole_dqn` | 1 | 2 | 3 | 4 |\n"
                      "| Acrobot-v1 | `rl run acrobot_dqn` | 1 | 2 | 3 | 4 |\n")  # fmt: skip
    results = documents / "RESULTS.md"
    earlier = results.read_text()
    rows = matrix.rows_of(documents / "rows.csv", all_specifications())
    rows.add(*(row(matrix, seed, 490.0 + seed, solved=1) for seed in range(9)))
    for seed in (9,):
        drawn.publish(matrix.cells(all_specifications().values(), rows))
        assert "| cartpole_dqn | CartPole-v1 | DQN | 9 | " in results.read_text()
        rows.add(row(matrix, seed, 490.0 + seed, solved=1))
    drawn.publish(matrix.cells(all_specifications().values(), rows))
    text = results.read_text()
    there = {name: matrix.common.table_in_results(name) for name in TABLES}
    assert "| cartpole_dqn | DQN | 494.5 |" in there["fitness matrix"]
    assert there["fitness grid"].splitlines()[2] == "| CartPole-v1 | 494.5 (18, 4) |"
    assert "cartpole_dqn" not in there["missing cells"]
    command = "`python scripts/fitness_matrix.py --only acrobot_ppo`"
    assert (
        f"| acrobot_ppo | Acrobot-v1 | PPO | 0 to 9 | [-73.5 in 1M][zoo] (PPO) | {command} |"
        in text
    )
    assert "| cartpole_dqn |" not in there["earlier fitness matrix"]
    assert earlier.count("\n| acrobot_dqn |") <= text.count("\n| acrobot_dqn |")
    first, second = readme.read_text().splitlines()
    assert first.startswith("| CartPole-v1 | `rl run cartpole_dqn` | 494.5 | ")
    assert first.endswith(" | 10 of 10 | 1,000 |")
    assert second == "| Acrobot-v1 | `rl run acrobot_dqn` | 1 | 2 | 3 | 4 |"


def test_the_tables_are_those_of_the_rows(matrix: Any) -> None:
    """Whoever changes a specification, or brings rows, runs the program once."""
    rows = matrix.rows_of(matrix.ROWS, all_specifications())
    every = [each for each in all_specifications().values() if not each.refusal]
    for name, text in matrix.tables(matrix.cells(every, rows)).items():
        assert matrix.common.table_in_results(name) == text, (
            "python scripts/fitness_matrix.py --collect"
        )


def test_the_grid_has_the_best_experiment_of_each_pair(matrix: Any, drawn: Any) -> None:
    """PPO on Pendulum has two experiments; an experiment without a session has no cell."""
    some = all_specifications()
    names = ("pendulum_actor_critic", "pendulum_ppo", "cartpole_dqn")
    found = [matrix.Cell(some[name], 1, [row(matrix, 0, mean)])
             for name, mean in zip(names, (-150.0, -170.0, 500.0), strict=True)]  # fmt: skip
    lines = drawn.grid([*found, matrix.Cell(some["pendulum_sac"], 1, [])]).splitlines()
    assert lines[0] == "| problem | DQN | PPO |"
    assert lines[2:] == [
        "| Pendulum-v1 |  | -150.0 (4.5, 4) |",
        "| CartPole-v1 | 500.0 (4.5, 4) |  |",
    ]


@pytest.mark.parametrize("name", [*TABLES, "defaults matrix"])
def test_the_table_goes_between_its_marks(
    name: str, matrix: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, end = f"<!-- {name} -->", f"<!-- end of the {name} -->"
    text = RESULTS.read_text()
    assert text.index(begin) < text.index(end)
    results = tmp_path / "RESULTS.md"
    results.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    monkeypatch.setattr(matrix.common, "RESULTS", results)
    matrix.common.put_into_results(name, "| new |")
    assert results.read_text() == f"before\n{begin}\n| new |\n{end}\nafter\n"


def test_every_problem_of_the_lab_is_in_the_matrix() -> None:
    assert {each.environment_id for each in all_specifications().values()} >= set(known_problems())
