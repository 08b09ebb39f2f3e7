"""Does an environment carry something over, and what is a user told as a run begins?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rl.environments import Environments
from rl.environments.problems import find_problem
from rl.running.executors import Inline
from rl.running.trial import create_trial, run_sessions
from rl.saved.run import Run
from rl.search.opening import start_search
from rl.specification import repeats
from rl.specification.build import build
from rl.specification.notes import notes_of
from rl.specification.repeats import find_out
from rl.specification.specification import Specification, load_specification
from rl.storage.tables import read_table
from tests.rl.worlds import Counted

SMALL = ("train.steps=1300", "train.evaluate_every=600", "train.evaluate_episodes=3",
         "network.hidden=[4]", "train.stop_when_solved=false")  # fmt: skip


def created(folder: Path, *overrides: str, name: str = "cartpole_dqn") -> Run:
    return create_trial(load_specification(name, overrides=(*SMALL, *overrides)), [0], folder)


@pytest.mark.parametrize("id", ["BipedalWalkerHardcore-v3", "Worn-v0"])
def test_what_carries_something_over_is_made_anew(id: str) -> None:
    renewed, note = find_out(find_problem(id))
    assert renewed
    assert note == (
        f"{id} carries something over from one episode to the next: it is made anew for each "
        "(train.renew_environment)"
    )


def test_what_is_carried_over_in_pictures_alone_is_made_anew_where_they_are_seen() -> None:
    plain = find_problem("Winged-v0")
    assert find_out(plain) == (False, None)
    block = replace(plain.environment, wrappers=("AddRenderObservation",))
    renewed, note = find_out(replace(plain, block=block))
    assert renewed
    assert note
    assert note.startswith("the picture of Winged-v0 carries something over")
    assert note.endswith("made anew for each (train.renew_environment)")


@pytest.mark.parametrize(
    ("id", "said"),
    [
        ("Moody-v0", "all episodes would begin alike"),
        ("Restless-v0", "does not repeat itself"),
        ("Counted-v0", None),
        ("FrozenLake-v1", None),
        ("CliffWalking-v1", None),
        ("Raising-v0", None),  # the run finds that, and says it
        ("Broken-v0", None),
    ],
)
def test_what_is_not_cured_so_is_left_as_it_is(id: str, said: str | None) -> None:
    renewed, note = find_out(find_problem(id))
    assert not renewed
    assert said in note if said and note else note is None


def test_finding_out_costs_one_instance_and_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    step = Environments.step

    def counting(*given: Any) -> Any:
        nonlocal steps
        steps += 1
        return step(*given)

    monkeypatch.setattr(Environments, "step", counting)
    Counted.forget()
    find_out(find_problem("Counted-v0"))
    assert (Counted.made, Counted.most, Counted.alive) == (1, 1, 0)
    find_out(find_problem("Endless-v0"))
    assert steps == 2 * 7 + 2 * repeats.STEPS


def test_the_run_keeps_what_was_found_and_is_resumed_to_the_bit(tmp_path: Path) -> None:
    from tests.rl.test_instances import Stops

    whole = created(tmp_path / "whole", "problem=Worn-v0")
    assert whole.specification.values["train"]["renew_environment"] is True
    assert any("it is made anew for each" in note for note in whole.notes)
    run_sessions(whole, Inline(), draw=False)
    broken = created(tmp_path / "broken", "problem=Worn-v0")
    run_sessions(broken, Inline(callback=Stops()), draw=False)
    assert broken.outcome["status"] == "interrupted"
    run_sessions(Run.open(tmp_path / "broken"), Inline(), draw=False)
    assert read_table(broken.session.episodes) == read_table(whole.session.episodes)
    assert broken.outcome["weights"] == whole.outcome["weights"]
    assert Run.open(tmp_path / "broken").problem.renewed


def test_what_the_specification_says_is_not_tried_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "find_out", lambda problem: pytest.fail("tried out"))
    for value in (True, False):
        given = f"train.renew_environment={str(value).lower()}"
        run = created(tmp_path / str(value), "problem=Worn-v0", given)
        assert run.problem.renewed is value
    walker = created(tmp_path / "walker", "train.steps=9000", name="bipedalwalker_actor_critic")
    assert walker.problem.renewed


def test_the_trials_of_a_search_are_settled_together(tmp_path: Path) -> None:
    space = {"agent.gamma": [0.9, 0.99]}
    values = {"problem": "Worn-v0", "agent": {"name": "DQN"}, "network": {"hidden": [4]},
              "train": {"steps": 1100}, "search": {"method": "grid", "space": space}}  # fmt: skip
    start_search(Specification("mine", "test", values), tmp_path / "r", None, Inline())
    assert Run.open(tmp_path / "r").problem.renewed


NOTED = [
    (("exploration.steps=900", "optimizer.learning_rate=1e-400"), "learning_rate is 0: nothing is"),
    ((), "exploration.steps is 5,000, beyond the 1,300 of train.steps"),
    (("exploration.steps=1300",), None),
    (("exploration.start=0.1", "exploration.end=0.1"), None),
    (
        ("exploration.steps=900", "agent.learn_every=1", "agent.learn_start=300", "optimizer."
         'learning_rate={"name":"linear","start":0.001,"end":0,"steps":400}'),
        "optimizer.learning_rate falls to 0 at update 400 of about 1,000",
    ),
    (
        ("exploration.steps=900", "agent.learn_every=1", "agent.learn_start=300", "optimizer."
         'learning_rate={"name":"step","start":0.001,"factor":0.03,"every":50}'),
        "optimizer.learning_rate falls to 0 at update 200 of about 1,000",
    ),
    (
        ("exploration.steps=900", "agent.learn_every=1", "agent.learn_start=300", "optimizer."
         'learning_rate={"name":"linear","start":0.001,"end":0,"steps":1000}'),
        None,
    ),
    (
        ("exploration.steps=900", "optimizer."
         'learning_rate={"name":"linear","start":0.001,"end":0.0001,"steps":10}'),
        None,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("overrides", "said"), NOTED, ids=range(len(NOTED)))
def test_what_may_not_be_meant_is_said(overrides: tuple[str, ...], said: str | None) -> None:
    experiment = build(load_specification("cartpole_dqn", overrides=(*SMALL, *overrides)), 0)
    notes = notes_of(experiment)
    assert [str(said) in note for note in notes] == ([True] if said else [])


def test_the_rates_of_roles_are_looked_at_one_by_one() -> None:
    rate = {"name": "cosine", "start": 0.001, "end": 0, "steps": 5}
    given = ('optimizer={"actor": {"learning_rate": 0.001}}', "train.steps=10000")
    specification = load_specification("cartpole_actor_critic", overrides=given)
    specification = specification.assign({"optimizer.critic": {"learning_rate": rate}})
    (note,) = notes_of(build(specification, 0))
    assert note.startswith("optimizer.critic.learning_rate falls to 0 at update 5 of about ")


def test_actions_without_bounds_are_said() -> None:
    values = {"problem": "Unbounded-v0", "agent": {"name": "ActorCritic"}, "train": {"steps": 5000}}
    (note,) = notes_of(build(Specification("mine", "test", values), 0))
    assert note.startswith("entry 0 of the action has no bounds")


@pytest.mark.slow
def test_a_callback_and_a_terminal_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import rl
    from rl.cli import main
    from tests.rl.test_instances import Stops

    callback = Stops(-1)
    rl.train("cartpole_dqn", overrides=SMALL, output=tmp_path / "a", callbacks=callback, draw=False)
    assert [note.partition(",")[0] for note in callback.notes] == ["exploration.steps is 5"]
    arguments = ["--output", str(tmp_path / "b"), "--no-report", "--set", *SMALL]
    assert main(["run", "cartpole_dqn", *arguments]) == 0
    assert capsys.readouterr().out.count("exploration.steps is 5,000, beyond") == 1
