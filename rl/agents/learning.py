"""What every agent does with a gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from nn import Network, Optimizer, clip_norm
from rl.errors import Diverged


def clip_and_step(
    networks: Mapping[str, Network],
    optimizers: Mapping[str, Optimizer],
    limit: float,
    update: int,
) -> dict[str, float]:
    """Scales each network's gradients to a norm of at most `limit`, and steps along them.

    Args:
        networks: by their roles.
        optimizers: of the same networks, by the same names.
        limit: the greatest norm.
        update: the number of the update, for the message.

    Returns:
        Each network's norm before it was scaled.

    Raises:
        Diverged: a norm is not finite; then none of the networks has moved. Or a weight is not,
            after they have.
    """
    norms = {name: clip_norm(each.gradients, limit) for name, each in networks.items()}
    for name, norm in norms.items():
        if not math.isfinite(norm):
            raise Diverged(f"{name}'s gradient", f"norm {norm} at update {update}")
    for name in networks:
        optimizers[name].step()
    require_finite_weights(networks, update)
    return norms


def require_finite_weights(networks: Mapping[str, Network], update: int) -> None:
    """Refuses networks with a parameter that is not finite.

    A product of the parameters with themselves says so in a third of the time; since finite ones
    may overflow it, they are then looked at one by one.

    Raises:
        Diverged: the message names the network.
    """
    for name, network in networks.items():
        p = network.parameters
        if not math.isfinite(p.dot(p)) and not np.isfinite(p).all():
            raise Diverged(f"{name}'s weights", f"not finite after update {update}")


def require_finite_loss(loss: float, update: int) -> None:
    """Refuses a loss that is not finite.

    Raises:
        Diverged: likewise.
    """
    if not math.isfinite(loss):
        raise Diverged("loss", f"{loss} at update {update}")


def with_history(error: Diverged, metrics: Mapping[str, float]) -> Diverged:
    """A divergence that also says how the update before went, if there was one."""
    if not all(map(math.isfinite, metrics.values())):
        return error
    values = ", ".join(f"{name} {value:.3g}" for name, value in metrics.items())
    return Diverged(error.component, f"{error.found}, after {values}")
