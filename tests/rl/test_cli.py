"""Every verb, as a user types it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from nn import checkpoint
from rl.cli import main
from rl.distribution import DISTRIBUTION
from rl.specification.build import build
from rl.specification.specification import load_specification
from rl.storage.tables import read_table
from tests.rl.conftest import Command, quick, wait_until

VERBS = (
    "run",
    "resume",
    "list",
    "analyze",
    "evaluate",
    "watch",
    "film",
    "report",
    "export",
    "verify",
    "doctor",
)


def files(folder: Path) -> set[str]:
    """What is there, but for hidden files, such as locks."""
    found = (path for path in folder.rglob("[!.]*") if path.is_file())
    return {str(path.relative_to(folder)) for path in found}


def test_a_run_leaves_a_whole_folder(rl: Command, tmp_path: Path) -> None:
    answer = rl("cartpole_dqn", "--steps", 3000, "--seed", 5, module="rl.run")
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    for said in ("mean return", "95% interval", "std", "not solved", "3,000 steps", "run folder"):
        assert said in answer.stdout
    (folder,) = (tmp_path / "runs" / "cartpole_dqn").iterdir()
    session = "trial_000/session_000"
    assert files(folder) == {
        "spec.yaml",
        "manifest.json",
        "trial_000/trial.json",
        *(f"{session}/{name}" for name in (
            "episodes.csv", "updates.csv", "evaluations.csv", "session.json", "curve.png",
            "checkpoints/last.npz", "checkpoints/best.npz",
            *(f"checkpoints/stages/{step}.npz" for step in (0, 2500, 3000)),
            "resume/latest.npz", "resume/updates.csv", "resume/best.npz",  # to go on beyond the end
            *(f"resume/transitions_{first:012d}.bin" for first in (0, 2500)))),
    }  # fmt: skip
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["seeds"] == [5]
    assert "cartpole_dqn" in manifest["command"]
    assert set(manifest["versions"]) == {"python", "numpy", "gymnasium", "box2d", DISTRIBUTION}
    spec = yaml.safe_load((folder / "spec.yaml").read_text())["cartpole_dqn"]
    assert spec["train"]["steps"] == 3000
    assert spec["optimizer"]["beta2"] == 0.999
    episodes = read_table(folder / session / "episodes.csv")
    assert sum(episodes["length"]) <= 3000
    assert episodes["return"] == episodes["length"]  # CartPole pays 1 a step
    updates = read_table(folder / session / "updates.csv")
    assert updates["exploration"][0] > updates["exploration"][-1]


def test_curve_is_a_picture(cartpole_run: Path) -> None:
    with Image.open(cartpole_run / "trial_000/session_000/curve.png") as picture:
        assert picture.size[0] > 600
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 50


TINY = ("--set", "problem=Steady-v0", "import=tests.rl.worlds")  # its episodes have five steps


def test_quiet_prints_nothing(rl_here: Command) -> None:
    answer = rl_here("run", "cartpole_dqn", "--steps", 1100, "--quiet", *TINY)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


@pytest.mark.slow
def test_a_learning_rate_may_be_a_schedule(rl_here: Command, tmp_path: Path) -> None:
    """One that ends before learning begins leaves the network as it was."""
    falls = '{"name": "warmup", "steps": 5, "then": {"name": "constant", "value": 0.0}}'
    for folder, rate in (("frozen", falls), ("learned", "0.001")):
        rl_here("run", "cartpole_dqn", "--steps", 1100, "--quiet", "--output", folder,
           *TINY, f"optimizer.learning_rate={rate}")  # fmt: skip
    frozen, learned = (
        checkpoint.load(tmp_path / name / "trial_000/session_000/checkpoints/last.npz")
        for name in ("frozen", "learned")
    )
    specification = load_specification("cartpole_dqn", overrides=TINY[1:])
    first = build(specification, seed=0).agent.policy_state()["network"]
    np.testing.assert_array_equal(frozen["policy"]["network"]["parameters"], first["parameters"])
    assert np.any(learned["policy"]["network"]["parameters"] != first["parameters"])
    spec = yaml.safe_load((tmp_path / "frozen/spec.yaml").read_text())["cartpole_dqn"]
    assert spec["optimizer"]["learning_rate"]["then"] == {"name": "constant", "value": 0.0}
    assert rl_here("evaluate", "frozen", "--episodes", 2).returncode == 0


@pytest.mark.slow
def test_set_reaches_the_parts_with_its_type(rl_here: Command, tmp_path: Path) -> None:
    rl_here("run", "cartpole_dqn", "--steps", 1500, "--quiet", "--output", "r",
       "--set", "optimizer.learning_rate=5e-4", "network.hidden=[8,4]",
       "--set", "memory.capacity=1e3", "exploration.name=boltzmann")  # fmt: skip
    spec = yaml.safe_load((tmp_path / "r/spec.yaml").read_text())["cartpole_dqn"]
    assert spec["optimizer"]["learning_rate"] == 0.0005
    assert spec["memory"]["capacity"] == 1000
    assert spec["exploration"]["name"] == "Boltzmann"
    saved = checkpoint.load(tmp_path / "r/trial_000/session_000/checkpoints/last.npz")
    assert saved["policy"]["network"]["sizes"] == [4, 8, 4, 2]


@pytest.mark.parametrize("suffix", quick(1, [".yaml", ".json"]))
def test_a_spec_of_ones_own(rl_here: Command, tmp_path: Path, suffix: str) -> None:
    mine = {"mine": {"problem": "CartPole-v1", "agent": {"name": "DoubleDQN"},
                     "train": {"steps": 1500}}}  # fmt: skip
    text = json.dumps(mine) if suffix == ".json" else yaml.safe_dump(mine)
    (tmp_path / f"my{suffix}").write_text(text)
    answer = rl_here("run", "mine", "--spec", f"my{suffix}")
    assert answer.returncode == 0, answer.stderr
    assert "mine: finished" in answer.stdout


def test_an_environment_without_an_entry(rl_here: Command) -> None:
    answer = rl_here("run", "cartpole_dqn", "--steps", 1500, "--set", "problem=CartPole-v0")
    assert answer.returncode == 0, answer.stderr
    assert "CartPole-v0: mean return" in answer.stdout


def test_list_shows_experiments_and_problems(rl_here: Command) -> None:
    answer = rl_here("list")
    assert answer.returncode == 0
    for problem in ("cartpole", "acrobot", "mountaincar", "lunarlander"):
        for agent in ("dqn", "double_dqn"):
            assert f"{problem}_{agent} " in answer.stdout
    for problem, threshold in (("CartPole-v1", 475), ("Acrobot-v1", -100),
                               ("MountainCar-v0", -110), ("LunarLander-v3", 200)):  # fmt: skip
        assert any(line.split()[:2] == [problem, str(threshold)]
                   for line in answer.stdout.splitlines())  # fmt: skip


def test_evaluate_prints_one_json_object(rl_here: Command, cartpole_run: Path) -> None:
    answer = rl_here("evaluate", cartpole_run, "--episodes", 100, "--json")
    assert answer.returncode == 0, answer.stderr
    report = json.loads(answer.stdout)
    assert answer.stdout.count("\n") == 1
    assert report["problem"] == "CartPole-v1"
    assert report["run"] == str(cartpole_run)
    assert report["episodes"] == 100
    assert report["solved"] is False
    low, high = report["ci95"]
    assert low < report["mean_return"] < high
    assert report["min_return"] <= report["median_return"] <= report["max_return"]
    outcome = json.loads((cartpole_run / "trial_000/session_000/session.json").read_text())
    assert outcome["evaluation"]["mean_return"] == report["mean_return"]


def test_evaluate_in_words(rl_here: Command, cartpole_run: Path) -> None:
    answer = rl_here(
        "evaluate", cartpole_run, "--episodes", 20, "--checkpoint", "last", "--seed", 3
    )
    assert answer.returncode == 0, answer.stderr
    for said in ("mean return", "95% interval", "std", "median", "min", "max", "length",
                 "undecided"):  # fmt: skip
        assert said in answer.stdout


@pytest.mark.slow
def test_the_name_of_an_experiment_stands_for_its_latest_run(
    rl_here: Command, tmp_path: Path
) -> None:
    for seed in (1, 2):
        rl_here("run", "cartpole_dqn", "--steps", 1100, "--quiet", "--seed", seed, *TINY)
    answer = rl_here("evaluate", "cartpole_dqn", "--episodes", 2, "--json")
    latest = sorted((tmp_path / "runs/cartpole_dqn").iterdir())[-1]
    assert json.loads((latest / "manifest.json").read_text())["seeds"] == [2]
    assert json.loads(answer.stdout)["run"] == str(latest.relative_to(tmp_path))


@pytest.mark.slow
def test_watch_writes_an_animation_without_a_display(
    rl_here: Command, cartpole_run: Path, tmp_path: Path
) -> None:
    answer = rl_here("watch", cartpole_run, "--gif", "film.gif", "--episodes", 2)
    assert answer.returncode == 0, answer.stderr
    assert "episode 2: return" in answer.stdout
    with Image.open(tmp_path / "film.gif") as film:
        frames = getattr(film, "n_frames", 1)
        assert frames > 5
        film.seek(0)
        first = np.asarray(film.convert("RGB")).astype(int)
        film.seek(frames - 1)
        assert np.abs(first - np.asarray(film.convert("RGB"))).max() > 50


@pytest.mark.slow
def test_watch_opens_a_window_where_there_is_one(rl: Command, cartpole_run: Path) -> None:
    answer = rl("watch", cartpole_run, SDL_VIDEODRIVER="dummy")
    assert answer.returncode == 0, answer.stderr
    assert "episode 1: return" in answer.stdout


def test_watch_draws_in_the_terminal(rl_here: Command, cartpole_run: Path) -> None:
    answer = rl_here("watch", cartpole_run, "--terminal", "--slow", "0.05", "--checkpoint", "0")
    assert answer.returncode == 0, answer.stderr
    drawn, _, rest = answer.stdout.partition("\x1b[?25h")
    assert drawn.count("\u2580") > 1000
    assert "step 1   Q(s, a)" in drawn
    assert "episode 1: return" in rest


@pytest.mark.slow
def test_render_shows_an_episode_at_each_evaluation(rl: Command) -> None:
    answer = rl("run", "cartpole_dqn", "--steps", 1500, "--render", SDL_VIDEODRIVER="dummy")
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example(rl_here: Command, verb: str) -> None:
    answer = rl_here(verb, "--help")
    assert answer.returncode == 0
    assert f"example: rl {verb}" in answer.stdout


@pytest.mark.slow
def test_ctrl_c_keeps_what_there_is(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "rl.run", "lunarlander_dqn", "--output", "r"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        session = tmp_path / "r/trial_000/session_000"
        table = session / "updates.csv"
        wait_until(lambda: table.exists() and _rows(table) > 0)
        process.send_signal(signal.SIGINT)
        said, complaint = process.communicate(timeout=300)
    assert process.returncode == 130
    assert complaint == ""
    assert "interrupted at step" in said
    assert "rl watch r" in said
    assert (session / "curve.png").stat().st_size > 10_000
    assert json.loads((session / "session.json").read_text())["status"] == "interrupted"
    saved = checkpoint.load(session / "checkpoints/last.npz")
    assert saved["step"] > 1000


def _rows(path: Path) -> int:
    return len(path.read_text().splitlines()) - 1


@pytest.mark.slow
def test_the_same_seed_gives_the_same_run_to_the_bit(tmp_path: Path) -> None:
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "rl.run", "lunarlander_dqn", "--steps", "3000", "--seed", seed,
             "--output", name, "--quiet", "--no-report", "--set", "train.evaluate_every=1500"],
            cwd=tmp_path,
        )
        for name, seed in (("one", "7"), ("two", "7"), ("other", "8"))
    ]  # fmt: skip
    assert [run.wait(timeout=300) for run in runs] == [0, 0, 0]
    one, two = (tmp_path / name / "trial_000/session_000" for name in ("one", "two"))
    for table in ("episodes.csv", "updates.csv", "evaluations.csv"):
        assert (one / table).read_bytes() == (two / table).read_bytes()
        assert _rows(one / table) > 0
    for name in ("best", "last"):
        first, second = (checkpoint.load(each / f"checkpoints/{name}.npz") for each in (one, two))
        parameters = first["policy"]["network"]["parameters"]
        np.testing.assert_array_equal(parameters, second["policy"]["network"]["parameters"])
        assert np.abs(parameters).max() > 0
    other = tmp_path / "other/trial_000/session_000"
    assert (one / "episodes.csv").read_bytes() != (other / "episodes.csv").read_bytes()


def test_divergence_ends_with_status_3_and_keeps_the_last_good_checkpoint(
    rl_here: Command, tmp_path: Path
) -> None:
    answer = rl_here("run", "cartpole_dqn", "--steps", 5000, "--output", "r",
                "--set", "optimizer.name=SGD", "optimizer.learning_rate=1e30",
                "agent.cost=quadratic")  # fmt: skip
    assert answer.returncode == 3
    assert answer.stderr.startswith("rl: step 10")
    assert "loss" in answer.stderr or "gradient" in answer.stderr
    assert answer.stderr.count("\n") == 1
    session = tmp_path / "r/trial_000/session_000"
    saved = checkpoint.load(session / "checkpoints/last.npz")
    assert np.isfinite(saved["policy"]["network"]["parameters"]).all()
    assert json.loads((session / "session.json").read_text())["status"] == "diverged"
    assert (session / "curve.png").exists()


def test_a_full_disk_or_a_read_only_folder_is_one_message(rl_here: Command, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        (tmp_path / "file").write_text("")
        answer = rl_here("run", "cartpole_dqn", "--steps", 1500, "--output", "file/run")
    else:
        (tmp_path / "locked").mkdir(mode=0o500)
        answer = rl_here("run", "cartpole_dqn", "--steps", 1500, "--output", "locked/run")
    assert answer.returncode == 2
    assert "cannot be written" in answer.stderr


def test_a_damaged_best_checkpoint_leaves_the_last_usable(
    rl_here: Command, cartpole_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(cartpole_run, run)
    best = run / "trial_000/session_000/checkpoints/best.npz"
    best.write_bytes(best.read_bytes()[:-200])
    answer = rl_here("evaluate", run, "--episodes", 2)
    assert answer.returncode == 2
    assert "best.npz" in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert rl_here("evaluate", run, "--episodes", 2, "--checkpoint", "last").returncode == 0


def test_without_its_package_completion_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert 'pip install "reinforcement-by-hand[completion]"' in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["res"], {"resume"}),
        (["run", "cartpole_d"], {"cartpole_dqn", "cartpole_double_dqn"}),
        (["run", "Acro"], {"Acrobot-v1"}),
        (["run", "x", "--sess"], {"--sessions"}),
        (["run", "x", "--executor", ""], {"local", "ray"}),
        (["run", "x", "--agent", "Double"], {"DoubleDQN"}),
        (["run", "x", "--spec", "./sp"], {"./spec.yaml"}),
        (["resume", "./ru"], {"./runs"}),
        (["run", "x", "--output", "./"], {"./runs"}),
        (["completion", ""], {"bash", "zsh", "tcsh"}),
    ],
)
def test_a_shell_completes_what_is_typed(
    typed: list[str], offered: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("shtab")
    assert main(["completion", "bash"]) == 0
    (tmp_path / "runs").mkdir()
    (tmp_path / "spec.yaml").touch()
    words = " ".join(map(shlex.quote, ["rl", *typed]))
    shell = f"{capsys.readouterr().out}\nCOMP_WORDS=({words}); COMP_CWORD={len(typed)}\n"
    shell += '_shtab_rl; printf "%s\\n" "${COMPREPLY[@]}"'
    answer = subprocess.run(["bash", "-c", shell], cwd=tmp_path, capture_output=True, text=True)
    assert offered <= {each.strip() for each in answer.stdout.splitlines()}
    assert all(each.startswith(typed[-1]) for each in answer.stdout.split())
