"""The experiments of bsuite (Osband et al. 2020), of the package `bsuite`, but for MNIST's."""

from __future__ import annotations

from typing import Any

import gymnasium

from rl.environments.dm_env import DmEnv

MNIST = "mnist"  # its pictures are downloaded, and bsuite 0.3.6 lets their bytes overflow


def bsuite(bsuite_id: str, render_mode: str | None = None) -> DmEnv:
    """An experiment.

    Args:
        bsuite_id: such as "deep_sea/10".
        render_mode: None.
    """
    return DmEnv(load(bsuite_id), render_mode)


def load(bsuite_id: str) -> Any:
    """The `dm_env` environment of an experiment."""
    from bsuite import bsuite, sweep

    return bsuite.load(bsuite_id.partition(sweep.SEPARATOR)[0], sweep.SETTINGS[bsuite_id])


def _register() -> None:
    """Registers "deep_sea/10" as `bsuite/deep_sea-10`, and so on."""
    from bsuite import sweep

    for bsuite_id in sweep.SWEEP:
        if not bsuite_id.startswith(MNIST):
            gymnasium.register(
                f"bsuite/{bsuite_id.replace(sweep.SEPARATOR, '-')}",
                "rl.environments.bsuite:bsuite",
                kwargs={"bsuite_id": bsuite_id},
            )


_register()
