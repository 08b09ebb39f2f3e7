"""The cost by which quantiles are learned (Dabney et al. 2018, eq. 9 and 10)."""

from __future__ import annotations

import numpy as np

from nn.typing import Array


def quantile_huber(theta: Array, y: Array, kappa: float) -> tuple[float, Array]:
    """The mean over the batch of sum_i mean_j rho_i(y_j - theta_i), and its gradient [B, N].

    Args:
        theta: the quantiles [B, N], whose midpoints are (i - 1/2) / N.
        y: samples of what they are quantiles of [B, M].
        kappa: the cost is linear for errors beyond it.
    """
    n, m = theta.shape[1], y.shape[1]
    midpoints = (np.arange(n, dtype=theta.dtype)[:, None] + 0.5) / n
    below, above = ((each / (kappa * m * len(theta))) for each in (1.0 - midpoints, midpoints))
    # These arrays are large, so each is used up before the next is made.
    errors = y[:, None, :] - theta[:, :, None]  # [B, i, j]
    slopes, clipped = np.where(errors < 0, below, above), errors.clip(-kappa, kappa)
    slopes *= clipped
    clipped *= 0.5
    errors -= clipped
    errors *= slopes
    return float(errors.sum()), -slopes.sum(axis=2)
