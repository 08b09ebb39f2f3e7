"""Where an agent learns and is evaluated: the environments of a session."""

from __future__ import annotations

from collections.abc import Callable

from nn.typing import State
from rl.environments import Environments, TrainingSeeds, environment_of, evaluation_seeds
from rl.session.evaluation import Evaluation, Evaluator, Heed
from rl.specification.build import Experiment


class Arena:
    """The environments that the agent learns in, and those that it is evaluated in.

    If the process can have only one, they share it, and the training episode is restored after each
    evaluation.

    Args:
        experiment: whose agent and problem they are.
        heed: as for `Evaluator`.
        note: called with messages for the user.
    """

    def __init__(self, experiment: Experiment, heed: Heed, note: Callable[[str], None]) -> None:
        self._experiment, self._note = experiment, note
        self._seeds = TrainingSeeds(experiment.rngs["environment"])
        self.environments = self._training_environments()
        self.evaluator = Evaluator.of(
            experiment.problem,
            experiment.preprocessor,
            experiment.spaces.actions,
            heed,
            self.environments.lend if experiment.problem.shared else None,
        )
        selection = int(experiment.rngs["evaluation"].integers(2**31))
        self._selection_seeds = evaluation_seeds(
            "selection", selection, experiment.training.extended_episodes
        )
        self._has_lost = False  # an episode, to an evaluation

    def _training_environments(self) -> Environments:
        problem, training = self._experiment.problem, self._experiment.training
        limit, lanes = training.max_episode_steps, training.lanes
        # An evaluation that shares the environment must not find that limit in it.
        settings = {} if problem.shared else {"max_episode_steps": limit}
        return Environments(
            lambda: environment_of(problem, **settings),
            lanes,
            self._seeds,
            self._experiment.preprocessor.for_lanes(lanes, learning=True),
            longest=limit if problem.shared else None,
            actions=self._experiment.spaces.actions,
        )

    def evaluate(self) -> Evaluation:
        """Evaluates the greedy agent on the seeds by which checkpoints are chosen.

        Raises:
            Stopped: by `heed`.
        """
        experiment = self._experiment
        result = self.evaluator.evaluate(
            experiment.agent,
            self._selection_seeds,
            experiment.training.evaluate_episodes,
            experiment.problem.solved,
        )
        if experiment.problem.shared:
            self._take_back()
        return result

    def _take_back(self) -> None:
        """Restores the training episode after an evaluation in the same environment."""
        if self._rebuild(self.environments.state()) and not self._has_lost:
            self._has_lost = True
            self._note(
                f"{self.environments.id} does not repeat itself: each evaluation, which shares the "
                "environment, ends the training episode under way, and a new one begins"
            )

    def _rebuild(self, state: State) -> bool:
        """Replays the unfinished episodes; returns True if some are lost."""
        lost = self.environments.restore(state)
        for lane in lost:
            self._experiment.agent.abandon(lane)
        return bool(lost)

    def state(self) -> State:
        """What `restore` needs."""
        return {"environments": self.environments.state(), "seeds": self._seeds.state()}

    def restore(self, state: State) -> None:
        """Takes over a saved state, once the preprocessor has taken over its own."""
        self._seeds.restore(state["seeds"])
        if self._rebuild(state["environments"]):
            self._note(
                f"{self.environments.id} does not repeat itself: it goes on with new episodes, and "
                "not to the bit as it would have"
            )

    def close(self) -> None:
        """Frees the environments; what goes wrong there is noted and costs nothing."""
        for complaint in dict.fromkeys(self.evaluator.close() + self.environments.close()):
            self._note(f"environment {self.environments.id}: {complaint}")
