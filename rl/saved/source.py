"""`rl run NAME --from RUN`: a run whose agent was trained before."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any

from nn.names import lookup, suggestion
from nn.typing import State
from rl.agents import AGENTS, Agent
from rl.environments.spaces import Discrete
from rl.errors import UserError, brief
from rl.saved.policy_file import find_shipped, refuse_other, specification_of
from rl.saved.run import Run
from rl.session.saved import check_finite
from rl.session.start import digest, take_over
from rl.specification.blocks import OPTIONS, NetworkSettings
from rl.specification.build import Experiment, build
from rl.specification.earlier_names import with_present_names
from rl.specification.environment import import_modules
from rl.specification.roles import path_of, require_blocks, settings_for
from rl.specification.settings import make_settings, resolve, settings_of
from rl.specification.specification import Specification
from rl.storage.paths import user_path
from rl.storage.run_folder import RunFolder
from rl.storage.session_folder import CHECKPOINTS, SessionFolder, load_policy

# What of a network its weights are made for.
SHAPE = ("conv", "hidden", "activation", "layer_norm", *OPTIONS)

MOST_RANDOM = 0.5  # of the first actions, before a user is told


@dataclass(frozen=True)
class Source:
    """A saved agent that a run starts from.

    Args:
        file: that holds it.
        state: what is in there.
        specification: that it was trained with.
        is_fresh: whether the preprocessor's statistics begin anew.
    """

    file: Path
    state: State
    specification: Specification
    is_fresh: bool

    @classmethod
    def find(cls, text: str | os.PathLike[str], is_fresh: bool = False) -> Source:
        """The agent that `RUN`, `RUN@best`, `RUN@last` or `RUN@STEP` names.

        RUN is a run folder, an experiment's name for its latest run or else the agent that comes
        with the lab, the folder of a session, or a file such as `best.npz`. Of a run of several
        sessions it is the first one's; a `Run` is of one.

        Raises:
            UserError: there is none, or it is damaged.
        """
        file = _file_of(os.fspath(text.session.path if isinstance(text, Run) else text))
        state = load_policy(file)
        try:
            check_finite(state)
        except ValueError as error:
            raise UserError(f"{file}: {error}; use another checkpoint") from None
        specification = with_present_names(specification_of(file, state))
        return cls(file, state, specification, is_fresh)

    @property
    def lineage(self) -> dict[str, Any]:
        """What a manifest says of it."""
        score = _score_of(self.file, int(self.state["step"]))
        if shipped := self.state.get("shipped"):
            score = shipped["mean_return"]
        return {
            "path": str(self.file.absolute()),
            "sha256": digest(self.file),
            "experiment": self.specification.name,
            "step": int(self.state["step"]),
            "fresh": self.is_fresh,
            **({} if score is None else {"mean_return": score}),
        }

    def adopted(self, specification: Specification) -> Specification:
        """A specification with what the agent's networks ask for, where it says nothing else.

        Raises:
            UserError: it asks for something else; the message names both.
        """
        given = with_present_names(specification)
        agent = self._agent(given)
        assigned = self._carried(given, agent)
        if self.specification.block("network"):
            assigned["network"] = self._network(given, agent)
        theirs = self.specification.block("preprocessor")
        name = given.block("preprocessor").get("name")
        if name is None and theirs:
            assigned["preprocessor"] = {**theirs, **given.block("preprocessor")}
        elif not self.is_fresh and _plain(name or "Identity") != _plain(_name_of(theirs)):
            raise given.explain(
                "preprocessor.name",
                f"is {name}, and the agent of {self.file} has {_name_of(theirs)}; leave the block "
                "out to take that, or give --fresh-normalization",
            )
        return given.assign(assigned)

    def check(self, experiment: Experiment) -> None:
        """Refuses an experiment whose environment or networks the agent does not fit.

        Raises:
            UserError: the message names both sizes.
        """
        ours, theirs = experiment.spaces.sizes, self._sizes()
        if theirs not in (None, ours):
            raise UserError(
                f"{self.file}: does not fit {experiment.problem.label}, which has {ours}; the "
                f"agent was trained on {theirs}"
            )
        take_over(experiment, self.state, self.file, self.is_fresh)

    def notes(self, experiment: Experiment) -> list[str]:
        """What a user should know of an experiment whose agent starts from this one."""
        found = []
        block = experiment.specification.block("exploration")
        if isinstance(experiment.spaces.actions, Discrete) and block.get("start", 0) >= MOST_RANDOM:
            found.append(
                f"exploration.start is {block['start']:g}: at first the agent acts at random, "
                "whatever it has learned; to change that: --set exploration.start=0.1"
            )
        if experiment.agent.learned_state().keys() - self.state.get("learned", {}).keys():
            found.append(f"{self.file} holds fewer critics; the others begin anew")
        return found

    def _sizes(self) -> str | None:
        """Those of its own environment; None if that cannot be made here."""
        try:
            return build(self.specification, seed=0).spaces.sizes
        except UserError:
            return None

    def _agent(self, given: Specification) -> type[Agent]:
        """The agent of the new specification, whose networks must be of the same kind."""
        ours = _agent_class(given)
        import_modules(self.specification)
        theirs = _agent_class(self.specification)
        if ours.kin != theirs.kin:
            fitting = [name for name, each in AGENTS.items() if each.kin == theirs.kin]
            raise given.explain(
                "agent.name",
                f"is {ours.__name__}, and {self.file} holds a {theirs.__name__}, whose networks "
                f"are others; these can start from it: {', '.join(fitting)}",
            )
        return ours

    def _carried(self, given: Specification, agent: type[Agent]) -> dict[str, Any]:
        """The agent's settings that say what its networks mean."""
        ours, theirs = given.block("agent"), self.specification.block("agent")
        carried = {}
        for name in agent.carried:
            value = theirs.get(name, settings_of(agent)[name].default)
            if name in ours and ours[name] != value:
                raise self._differs(given, f"agent.{name}", ours[name], value)
            carried[f"agent.{name}"] = value
        return carried

    def _network(self, given: Specification, agent: type[Agent]) -> dict[str, Any]:
        """The `network` block, for all roles or for each, with the shape that the weights have."""
        require_blocks(given, "network", agent.roles)
        theirs = self.specification.block("network")
        blocks = given.block("network"), theirs
        if not any(role in block for role in agent.roles for block in blocks):
            return self._shaped(given, None, *blocks)
        has_roles = any(role in theirs for role in agent.roles)
        return {
            role: self._shaped(
                given, role, *(settings_for(block, role, agent.roles) for block in blocks)
            )
            for role in agent.roles
            if role in theirs or not has_roles
        }

    def _shaped(
        self,
        given: Specification,
        role: str | None,
        ours: Mapping[str, Any],
        theirs: Mapping[str, Any],
    ) -> dict[str, Any]:
        def path(name: str) -> str:
            return path_of("network", given.block("network"), role, name)

        def explain(name: str, complaint: str) -> UserError:
            return given.explain(path(name), complaint)

        found = dict(ours)
        want, have = (
            make_settings(NetworkSettings, resolve(NetworkSettings, block, explain), explain)
            for block in (ours, theirs)
        )
        for name in SHAPE:
            value = getattr(have, name)
            if name in ours and getattr(want, name) != value:
                raise self._differs(given, path(name), ours[name], value)
            found[name] = _written(value)
        return found

    def _differs(self, given: Specification, path: str, ours: Any, theirs: Any) -> UserError:
        value = _written(theirs)
        return given.explain(
            path,
            f"is {brief(ours)}, and {brief(value)} in {self.file}; to take that: "
            f"--set {path}={json.dumps(value, separators=(',', ':'))}",
        )


def _written(value: Any) -> Any:
    """A setting as a specification has it."""
    if not isinstance(value, tuple):
        return value
    return [dict(vars(each)) if is_dataclass(each) else each for each in value]


def _agent_class(specification: Specification) -> type[Agent]:
    name = specification.block("agent").get("name")
    try:
        found: type[Agent] = lookup(AGENTS, str(name), "agent")
    except ValueError as error:
        raise specification.explain("agent.name", f"names an {error}") from None
    return found


def _plain(name: object) -> str:
    return str(name).lower().replace("_", "")


def _name_of(preprocessor: Mapping[str, Any]) -> str:
    return str(preprocessor.get("name", "Identity"))


def _file_of(text: str) -> Path:
    """The file that holds the agent."""
    path, name, which = user_path(text), text, None
    if not path.exists() and "@" in text:
        name, _, which = text.rpartition("@")
        path, which = user_path(name), which.replace(",", "").replace("_", "")
        if which not in CHECKPOINTS and not which.isdecimal():
            raise UserError(
                f"--from: {which!r} is no checkpoint: best, last, or the step of a stage"
                f"{suggestion(which, CHECKPOINTS)}"
            )
    if shipped := find_shipped(name):
        refuse_other(shipped.path.stem, which)
        return shipped.path
    if path.is_file() or path.suffix == ".npz":
        if which is not None:
            raise UserError(f"--from: {path} is a single checkpoint; leave @{which} out")
        return path
    folder = _session_of(path, name)
    which = which or folder.default_checkpoint
    if not folder.has_checkpoint(which):
        folder.load_checkpoint(which)  # which says what there is instead
    return folder.checkpoint(which)


def _session_of(path: Path, name: str) -> SessionFolder:
    if (path / "checkpoints").is_dir():
        return SessionFolder(path)
    folder = RunFolder.open(name)
    return folder.session(folder.best_trial())


def _score_of(file: Path, step: int) -> float | None:
    """The mean return of a checkpoint on unseen episodes, if its session has measured that."""
    session = SessionFolder(file.absolute().parent.parent)
    try:
        outcome = session.read_outcome()
    except UserError:
        return None
    for at, key in (("best_step", "evaluation"), ("steps", "final")):
        if key in outcome and outcome.get(at) == step:
            return float(outcome[key]["mean_return"])
    return None
