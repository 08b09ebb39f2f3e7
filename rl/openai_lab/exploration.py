"""Exploration among discrete actions that is counted in episodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.settings import setting
from nn.typing import Array, State
from rl.exploration import Boltzmann, EpsilonGreedy, Explorer

_MOST_EXPONENT = 500.0  # of a Boltzmann policy
_DECAY = 0.9997  # of epsilon per step
_PARTIAL = 20  # latest episodes, of whose returns the mean is projected


class ByEpisode(Explorer):
    """The amount of episode e, counted from 0, is max(init + (final - init) e / n, final).

    It is updated after the first action of an episode.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Explorer.Settings):
        """Those of exploration that is counted in episodes."""

        init: float
        final: float
        episodes: int = setting("n, episodes from `init` to `final`", 20, least=1)

    settings: Settings
    follows_returns = True

    def _prepare(self) -> None:
        self._ended = 0
        self._amount = self.settings.init

    def amount(self, step: int) -> float:
        return self._amount

    def choose(self, greedy: Array, step: int) -> Any:
        chosen = super().choose(greedy, step)
        self._amount = self.amount_of(self._ended)
        return chosen

    def peek(self, greedy: Array, step: int) -> Any:
        """Chooses as `choose` does, and leaves the amount as it is."""
        amount = self._amount
        chosen = self.choose(greedy, step)
        self._amount = amount
        return chosen

    def amount_of(self, episode: int) -> float:
        """The amount in an episode."""
        settings = self.settings
        slope = (settings.final - settings.init) / settings.episodes
        return max(settings.init + slope * episode, settings.final)

    def ended(self, lane: int, total: float | None) -> None:
        self._ended += total is not None

    def state(self) -> State:
        return {**super().state(), "ended": self._ended, "amount": self._amount}

    def restore(self, state: State) -> None:
        super().restore(state)
        self._ended, self._amount = int(state["ended"]), float(state["amount"])


class Boltzmann2017(ByEpisode, Boltzmann):
    """Action a with probability proportional to exp(Q(a) / tau), the exponent cut to +-500."""

    @dataclass(frozen=True, kw_only=True)
    class Settings(ByEpisode.Settings):
        """Those of `Boltzmann2017`."""

        init: float = setting("initial temperature tau", 5.0, above=0)
        final: float = setting("final tau", 0.5, above=0)

    settings: Settings  # type: ignore[assignment]

    def choose(self, greedy: Array, step: int) -> Any:
        z = greedy.astype(float) / self._amount
        cut = np.clip(z, -_MOST_EXPONENT, _MOST_EXPONENT) * self._amount
        return super().choose(np.where(z == -np.inf, z, cut), step)


class EpsilonGreedy2017(ByEpisode, EpsilonGreedy):
    """A random action with probability epsilon, else the best one."""

    @dataclass(frozen=True, kw_only=True)
    class Settings(ByEpisode.Settings):
        """Those of `EpsilonGreedy2017`."""

        init: float = setting("initial epsilon", 1.0, least=0, most=1)
        final: float = setting("final epsilon", 0.1, least=0, most=1)
        episodes: int = setting("n, episodes from `init` to `final`", 30, least=1)

    settings: Settings  # type: ignore[assignment]


class DecayingEpsilonGreedy2017(EpsilonGreedy2017):
    """Epsilon is multiplied by 0.9997 with each step, until it is `final` or less."""

    def amount_of(self, episode: int) -> float:
        now = self._amount
        return now * _DECAY if now > self.settings.final else now


class OscillatingEpsilonGreedy2017(EpsilonGreedy2017):
    """In each third episode after the 15th, epsilon is a third of what it would be."""

    def amount_of(self, episode: int) -> float:
        usual = super().amount_of(episode)
        drops = episode % 3 == 0 and episode > 15
        return max(usual / 3.0, self.settings.final) if drops else usual


class TargetedEpsilonGreedy2017(EpsilonGreedy2017):
    """Epsilon follows the gap between the mean of the latest 20 returns and a target.

    With g that gap, divided by the one of the worst return so far, and the envelope
    v = init + (final - init) e / (2 n) of episode e, epsilon is v min(2 g, 1) init, at least
    `final`; half of it in every second stretch of 20 episodes, and where the gap is small.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(EpsilonGreedy2017.Settings):
        """Those of `TargetedEpsilonGreedy2017`."""

        target: float = setting("mean return that solves the problem")

    settings: Settings

    def _prepare(self) -> None:
        super()._prepare()
        self._latest: list[float] = []
        self._worst = np.inf

    def ended(self, lane: int, total: float | None) -> None:
        super().ended(lane, total)
        if total is not None:
            self._latest = [*self._latest, total][-_PARTIAL:]
            self._worst = min(self._worst, total)

    def amount_of(self, episode: int) -> float:
        settings = self.settings
        if episode < 1:
            return self._amount
        gap, widest = settings.target - np.mean(self._latest), settings.target - self._worst
        ratio = float(gap / widest) if widest else 1.0
        slope = (settings.final - settings.init) / 2 / settings.episodes
        envelope = settings.init + slope * episode
        epsilon = max(envelope * min(2 * ratio, 1.0) * settings.init, settings.final)
        explores = episode // _PARTIAL % 2 == 0 and gap > abs(settings.target * 0.05)
        return epsilon if explores else max(epsilon / 2, settings.final)

    def state(self) -> State:
        return {**super().state(), "latest": list(self._latest), "worst": float(self._worst)}

    def restore(self, state: State) -> None:
        super().restore(state)
        self._latest, self._worst = list(state["latest"]), float(state["worst"])
