"""Numbers that change with the step: pure functions of it, so that they have no state to save."""

from __future__ import annotations

from nn.names import lookup


class Schedule:
    """Goes from `start` to `end` in `steps` steps and stays there."""

    def __init__(self, start: float, end: float, steps: int) -> None:
        if steps < 1:
            raise ValueError(f"steps must be at least 1, not {steps}")
        self.start, self.end, self.steps = start, end, steps

    def __call__(self, step: int) -> float:
        """The value at `step`, counted from 0."""
        raise NotImplementedError


class Linear(Schedule):
    """start + (end - start) step / steps."""

    def __call__(self, step: int) -> float:
        if step >= self.steps:
            return self.end
        return self.start + (self.end - self.start) * step / self.steps


class Exponential(Schedule):
    """start (end / start)^(step / steps): the same ratio at each step."""

    def __init__(self, start: float, end: float, steps: int) -> None:
        super().__init__(start, end, steps)
        if start <= 0 or end <= 0:
            raise ValueError(f"start and end must be greater than 0, not {start} and {end}")

    def __call__(self, step: int) -> float:
        if step >= self.steps:
            return self.end
        return float(self.start * (self.end / self.start) ** (step / self.steps))


SCHEDULES: dict[str, type[Schedule]] = {"linear": Linear, "exponential": Exponential}


def make_schedule(name: str, start: float, end: float, steps: int) -> Schedule:
    """The schedule called `name` from `start` to `end` in `steps` steps."""
    return lookup(SCHEDULES, name, "schedule")(start, end, steps)
