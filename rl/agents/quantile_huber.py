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
    (size, n), m = theta.shape, y.shape[1]
    midpoints = (np.arange(n, dtype=theta.dtype)[:, None] + 0.5) / n
    below, above = ((each / (kappa * m * size)) for each in (1.0 - midpoints, midpoints))
    # Each of these is large. Allocated one by one they would go back to the system after every
    # update, and come again page by page, which takes longer than the arithmetic.
    errors, slopes, clipped = np.empty((3, size, n, m), theta.dtype)  # [B, i, j]
    np.subtract(y[:, None, :], theta[:, :, None], out=errors)
    np.copyto(slopes, above)
    np.copyto(slopes, below, where=errors < 0)
    np.clip(errors, -kappa, kappa, out=clipped)
    slopes *= clipped
    clipped *= 0.5
    errors -= clipped
    errors *= slopes
    return float(errors.sum()), -slopes.sum(axis=2)
