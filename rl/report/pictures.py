"""Moving pictures in a report: the film of the learning, and episodes to replay."""

from __future__ import annotations

import base64
import io
import shlex
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rl.agents import AGENTS
from rl.agents.tabular import Tabular
from rl.analysis.charts import numbers
from rl.console.optional import complain, not_made, reason
from rl.console.signals import is_asked, noticed
from rl.environments import evaluation_seeds
from rl.environments.names import bar_names
from rl.errors import Unseen
from rl.formatting import count_of, figure_of
from rl.report.blocks import Block, Picture, Replay, Text
from rl.saved.run import Run
from rl.storage.files import read_bytes
from rl.watching.animation import pace
from rl.watching.film import choose_stages, make_film, sheet
from rl.watching.frames import Moment, Scene, require_saliency
from rl.watching.heat import draw_heat
from rl.watching.rendering import NothingToSee

FRAMES = 80  # of a replay, at most
COLUMNS = 8  # of its sheet: no side exceeds the 16,383 pixels of a WebP
WIDTH, HEIGHT = 320, 1600  # pixels of a frame, at most
QUALITY = 70  # of WebP
HEAT = 720  # pixels of a heat map, at most


def moving(run: Run, saliency: bool = False) -> tuple[list[Block], list[Block]]:
    """The episodes and the film of a session, or why they could not be made.

    An error is printed on stderr too. The film is made last: not all of its memory is freed, and
    the two together would be the most that a run needs. An environment that could not draw is not
    asked again: OpenGL without a display raises the first time and aborts the process the second.

    Args:
        run: a session.
        saliency: whether the episodes show which pixels matter, as for `Scene`.

    Raises:
        UserError: there is no saliency.
    """
    if saliency:
        require_saliency(run.player("best"))
    episodes, failure = _made(lambda: replays(run, saliency))
    no_episodes = reason(failure) if failure else ""
    if isinstance(failure, Unseen):
        learning, no_film = episodes, no_episodes
    else:
        learning, failure = _made(lambda: [film(run)])
        no_film = reason(failure) if failure else ""
    if no_film:
        trial = ["--trial", str(run.trial.number)] if run.trial.number else []
        session = ["--session", str(run.session.number)] if run.session.number else []
        command = shlex.join(["rl", "film", str(run.path), *trial, *session])
        complain(not_made("film.gif", no_film, f"`{command}` tries again"))
    if no_episodes not in ("", no_film):
        remedy = f"`rl report {shlex.quote(str(run.path))}` tries again"
        complain(not_made("the report's episodes", no_episodes, remedy))
    return episodes, learning


def _made(make: Callable[[], Sequence[Block]]) -> tuple[list[Block], BaseException | None]:
    """The blocks, or a block that says why there are none, and the failure if it is one."""
    try:
        with noticed():
            return list(make()), None
    except NothingToSee as error:
        return [Text(f"Not to be had: {error}.")], None
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        if is_asked(error):
            raise
        return [Text(f"Not to be had: {reason(error)}.")], error


def table(run: Run) -> list[Block]:
    """The heat map of an agent with a table, in its best checkpoint; nothing of any other."""
    kind = AGENTS.get(run.specification.block("agent")["name"])
    return _made(lambda: [_heat(run)])[0] if kind and issubclass(kind, Tabular) else []


def _heat(run: Run) -> Picture:
    """What each state is worth to the best policy of a session.

    Raises:
        UserError: the environment cannot be made, or the checkpoint is damaged.
    """
    player = run.player("best")
    assert isinstance(player.agent, Tabular)
    heat = replace(player.agent.heat(), names=bar_names(player.spaces))
    rows, columns = heat.values.shape
    file = io.BytesIO()
    draw_heat(heat, HEAT, HEAT).save(file, "PNG")
    low, high = np.nanmin(heat.values), np.nanmax(heat.values)
    return Picture(
        data_uri("image/png", file.getvalue()),
        f"A heat map of {count_of(rows, 'row')} and {count_of(columns, 'column')}.",
        f"What each state is worth, max Q(s, a), from {low:.3g} (dark) to {high:.3g}, with the "
        "greedy action. Of states with more than two parts, the two with the most values are "
        "shown, and the others are in their middle.",
    )


def film(run: Run) -> Picture:
    """The film of a session, made again only if a checkpoint is newer.

    Raises:
        UserError: there is nothing to film, or the environment fails.
        OSError: the file cannot be read or written.
    """
    file = run.session.film
    stages = choose_stages(run.session)
    latest = max(run.session.checkpoint(stage).stat().st_mtime for stage in stages)
    if not file.exists() or file.stat().st_mtime < latest:
        make_film(run, file)
    steps = [stage for stage in stages if stage.isdecimal()]
    return Picture(
        data_uri("image/gif", read_bytes(file)),
        f"One episode played side by side by the policies of steps {', '.join(steps)} and by the "
        f"{stages[-1]} one.",
        "The same episode at several stages of the learning: under each its step, the time it had "
        "learned for, and the return.",
        last_frame(file),
    )


def last_frame(film: Path) -> str:
    """The end of a film as a data URI, which is printed; empty if no picture can be read."""
    from PIL import Image

    still = io.BytesIO()
    try:
        with Image.open(film) as picture:
            picture.seek(getattr(picture, "n_frames", 1) - 1)
            picture.convert("RGB").save(still, "WEBP", quality=QUALITY, method=1)
    except OSError:  # the page shows what there is
        return ""
    return data_uri("image/webp", still.getvalue())


def replays(run: Run, saliency: bool = False) -> list[Replay]:
    """The best, the median and the worst of the episodes of the session's evaluation.

    Raises:
        UserError: the environment draws no pictures, or the checkpoint is damaged.
    """
    returns = run.outcome.get("evaluation", {}).get("returns")
    if not returns:
        return []
    seeds = evaluation_seeds("report", 0, len(returns))
    with closing(Scene(run.problem.id, run.player("best"), saliency)) as scene:
        return [
            replay(scene, seeds[episode], f"The {word} of {len(returns)} episodes")
            for episode, word in choose_episodes(returns).items()
        ]


def choose_episodes(returns: Sequence[float]) -> dict[int, str]:
    """The numbers of the episodes to replay, with a word for each."""
    order = np.argsort(returns, kind="stable").tolist()
    middle = order[(len(order) - 1) // 2]
    return {order[-1]: "best", middle: "median", order[0]: "worst"}


def replay(scene: Scene, seed: int, title: str) -> Replay:
    """An episode with its pictures and the agent's thoughts at each."""
    length = scene.play(seed).length
    every, seconds = pace(scene.frames_a_second, length, FRAMES - 1)
    moments = [_shrunk(moment) for moment in scene.moments(seed, every)]
    end = moments[-1]
    figures = f"return {figure_of(end.total)} in {count_of(end.step, 'step')}"
    return Replay(
        f"{title}: {figures}",
        f"{title}, played frame by frame: {figures}.",
        {**_pictures(moments), **_thoughts(moments), "seconds": seconds},
    )


def _shrunk(moment: Moment) -> Moment:
    """The moment with its picture as wide as a frame, to save memory."""
    from PIL import Image

    picture = Image.fromarray(moment.picture)
    width = min(WIDTH, picture.width)
    height = min(HEIGHT, max(1, round(width * picture.height / picture.width)))
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BOX)
    return replace(moment, picture=np.asarray(picture))


def _pictures(moments: Sequence[Moment]) -> dict[str, Any]:
    """The frames on one sheet, row by row."""
    from PIL import Image

    height, width, _ = moments[0].picture.shape
    frames = sheet([Image.fromarray(moment.picture) for moment in moments], COLUMNS)
    file = io.BytesIO()
    frames.save(file, "WEBP", quality=QUALITY, method=1)
    return {
        "sheet": data_uri("image/webp", file.getvalue()),
        "columns": COLUMNS,
        "width": width,
        "height": height,
        "frames": len(moments),
        "steps": [moment.step for moment in moments],
        "returns": numbers([moment.total for moment in moments]),
    }


def _thoughts(moments: Sequence[Moment]) -> dict[str, Any]:
    thoughts = [moment.thoughts for moment in moments]
    first, values = thoughts[0], [each.value for each in thoughts if each.value is not None]
    return {
        "title": first.title,
        "bars": [numbers(each.bars) for each in thoughts],
        "names": first.labels,
        "span": first.span,
        "chosen": None if first.chosen is None else [each.chosen for each in thoughts],
        "values": numbers(values) or None,
    }


def data_uri(kind: str, content: bytes) -> str:
    """Bytes as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
