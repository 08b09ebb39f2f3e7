"""The pages and their addresses."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rl.dashboard.catalogue import find_comparisons, find_runs, fingerprint
from rl.dashboard.changes import Changes
from rl.dashboard.choice import Choice, choose
from rl.dashboard.episodes import Episodes, newest
from rl.dashboard.guard import REPORT_POLICY, guard
from rl.dashboard.listing import AnyRow, Damaged, Rows
from rl.dashboard.overlay import LINES, MOST, QUANTITIES, Overlaid, overlay, read_curves
from rl.dashboard.pace import Paces
from rl.dashboard.plan import day_of, read_plan
from rl.dashboard.views import View
from rl.errors import UserError
from rl.formatting import figure_of
from rl.report import page
from rl.report.blocks import Replay
from rl.report.comparison_page import comparison_page
from rl.report.report import NAME
from rl.storage.files import LARGEST, read_bytes
from rl.storage.notes import read_note
from rl.storage.tables import Tables
from rl.storage.texts import encodable

if TYPE_CHECKING:
    from flask import Flask, Response

    from rl.analysis.charts import Chart

    Answer = str | Response | tuple[Any, ...]

OWN = Path(__file__).parent / "assets"
# Those of a run's page; its tables cannot be sorted, as they are replaced every few seconds.
CHARTS = tuple(name for name in page.DRAWING if name != "replay.js")
FOLLOWING = (*page.DRAWING, "polling.js", "run.js")
LISTING = (*CHARTS, "polling.js", "list.js", "overlay.js", "live.js")
SECONDS = 1.0  # in which the list answers, about
FIRST = 100  # rows in the page itself; the others follow
FILES = {file.name: file for folder in (OWN, page.ASSETS) for file in folder.glob("*.[cj]s*")}
FILTERS = {"figure": figure_of, "day": day_of}  # of a row
KINDS = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}


def create_app(root: Path, token: str | None = None, cookie: str = "token") -> Flask:
    """The pages of the runs in a folder, whose path must have no links.

    `token` and `cookie` are those of `guard`.
    """
    from flask import Flask
    from jinja2 import FileSystemLoader

    app = Flask("rl.dashboard", static_folder=None)
    app.jinja_options = {"loader": FileSystemLoader([OWN, page.ASSETS]), **page.options()}
    app.jinja_env.filters |= {"json": page.to_json, **FILTERS}
    guard(app, token, cookie)
    pages = Pages(root)
    app.add_url_rule("/", "index", pages.index)
    for name in ("rows", "curves", "run", "data", "episode", "comparison", "report"):
        app.add_url_rule(f"/{name}", name, getattr(pages, name))
    app.add_url_rule("/assets/<name>", "asset", _asset)
    _explain_errors(app)
    return app


class Pages:
    """Answers the requests about the runs in a folder."""

    def __init__(self, root: Path) -> None:
        self._root, self._paces = root, Paces()
        self._rows = Rows(root, self._paces)
        self._changes = Changes(lambda row: _render("row.html", row=row, link=_link))
        self._episodes = Episodes()
        self._tables = Tables()

    def index(self) -> Answer:
        """The list of runs."""
        listed = self._changes.since("", *self._rows.read(SECONDS))["changed"]
        return _render(
            "list.html",
            root=str(self._root),
            rows=[text for _, text in listed[:FIRST]],
            more=max(0, len(listed) - FIRST),
            scripts=LISTING,
        )

    def rows(self) -> Answer:
        """The rows of the list that have changed, for a page that is open."""
        from flask import jsonify, request

        known = request.args.get("known", "")
        return jsonify(self._changes.since(known, *self._rows.read(SECONDS)))

    def curves(self) -> Answer:
        """The curves of some runs in one chart; those that are gone are left out."""
        from flask import jsonify, request

        asked = dict.fromkeys(request.args.getlist("name"))
        given = request.args.get("quantity", "evaluations"), request.args.get("lines", "run")
        if given[0] not in QUANTITIES or given[1] not in LINES:
            _refuse(404, "There is no such curve.")
        there = find_runs(self._root)
        complaints = {name: "is no longer there" for name in asked if name not in there}
        runs = []
        for name in [name for name in asked if name in there][:MOST]:
            try:
                runs.append(self._overlaid(choose(there, name), given[0]))
            except UserError as error:
                complaints[name] = str(error)
        recorded = {each for run in runs for each in run.quantities}
        answer = jsonify(
            chart=_chart(overlay(runs, *given)),
            complaints=complaints,
            quantities=[each for each in QUANTITIES.items() if each[0] in recorded],
        )
        answer.add_etag()
        answer.make_conditional(request)
        return answer

    def _overlaid(self, choice: Choice, quantity: str) -> Overlaid:
        if choice.trial is None:
            raise UserError(f"{choice.name}: is a search; its own page has its curves")
        plan = read_plan(choice.folder)
        return read_curves(choice.name, plan, choice.trial.sessions(), quantity, self._tables.read)

    def comparison(self) -> Answer:
        """The page of a comparison."""
        folder = self._comparison()
        if folder is None:
            _refuse(404, "There is no such comparison here.")
        found = comparison_page(folder)
        return _render(
            "comparison.html",
            page=found, note=read_note(folder), name=self._asked,
            has_report=(folder / NAME).is_file(), scripts=CHARTS,
        )  # fmt: skip

    def run(self) -> Answer:
        """The page of a run, which then asks for its data."""
        choice = self._choose()
        view = choice.view(self._tables.read, self._paces)
        return _render("run.html", choice=choice, view=view, scripts=FOLLOWING)

    def data(self) -> Answer:
        """The current contents of the page of a run."""
        from flask import jsonify, make_response, request

        choice = self._choose()
        stamp = choice.stamp()
        if stamp in request.if_none_match:
            return make_response("", 304)
        answer = jsonify(_data(choice, choice.view(self._tables.read, self._paces)))
        answer.set_etag(stamp)
        return answer

    def episode(self) -> Answer:
        """The latest greedy episode of a session; 202 while it is being played."""
        from flask import jsonify, request

        choice = self._choose()
        if choice.trial is None or choice.session is None:
            _refuse(404, "Only a session has episodes.")
        session = choice.trial.number, choice.session.number
        try:
            played = self._episodes.ask(choice.folder, *session, request.args.get("policy"))
            if not played.replay.done():
                return jsonify(policy=played.policy), 202
        except UserError as error:
            return jsonify(reason=str(error))
        return jsonify(policy=played.policy, **_episode(played.replay))

    def report(self) -> Answer:
        """The report in a run's folder as it is."""
        folder = self._comparison()
        file = folder / NAME if folder else self._choose().report
        if not file.is_file():
            _refuse(404, "The run has no report; `rl report RUN` writes one.")
        answer = _file(file)
        answer.headers["Content-Security-Policy"] = REPORT_POLICY
        return answer

    @property
    def _asked(self) -> str:
        """The name in the request."""
        from flask import request

        return request.args.get("name", "")

    def _comparison(self) -> Path | None:
        """The folder of the comparison that is asked for, in which there is no link."""
        folder = find_comparisons(self._root).get(self._asked)
        if folder:
            fingerprint(folder)
        return folder

    def _choose(self) -> Choice:
        from flask import request

        numbers = [request.args.get(name, type=int) for name in ("trial", "session")]
        try:
            return choose(find_runs(self._root), self._asked, *numbers)
        except KeyError:
            _refuse(404, "There is no such run here.")


def _data(choice: Choice, view: View) -> dict[str, Any]:
    """What changes in the page of a run."""
    return {
        "state": view.state.word,
        "ended": view.state.ended,
        "head": _render("head.html", choice=choice, view=view),
        "logs": _render("logs.html", view=view),
        "charts": list(map(_chart, view.charts)),
        "policy": _policy(choice),
    }


def _chart(chart: Chart) -> dict[str, Any]:
    names = ("title", "note", "description", "data")
    return {name: getattr(chart, name) for name in names}


def _link(row: AnyRow) -> str | None:
    """The address of the page of a run or of a comparison."""
    from flask import url_for

    if isinstance(row, Damaged):
        return None
    return url_for("comparison" if row.kind == "comparison" else "run", name=row.name)


def _episode(played: Future[Replay]) -> dict[str, Any]:
    """An episode that was played, or why it cannot be shown."""
    try:
        return vars(played.result())
    except UserError as error:
        return {"reason": str(error)}


def _policy(choice: Choice) -> str | None:
    """The newest policy that could play an episode."""
    try:
        return newest(choice.session) if choice.session else None
    except UserError:
        return None


def _asset(name: str) -> Answer:
    """A file of our own."""
    if name not in FILES:
        _refuse(404, "There is no such file.")
    return _file(FILES[name])


def _file(path: Path) -> Response:
    """A file as it is, unless the browser has it already."""
    from flask import Response, request

    answer = Response(read_bytes(path, 4 * LARGEST), mimetype=KINDS[path.suffix])
    answer.add_etag()
    answer.make_conditional(request)
    return answer


def _render(template: str, **values: Any) -> str:
    from flask import render_template

    return encodable(render_template(template, **values))


def _refuse(status: int, sentence: str) -> NoReturn:
    from flask import abort

    abort(status, sentence)


def _explain_errors(app: Flask) -> None:
    """Answers errors with a sentence."""
    from flask import Response
    from werkzeug.exceptions import HTTPException

    @app.errorhandler(UserError)
    def explain(error: UserError) -> Answer:
        return _render("damaged.html", message=str(error)), 422

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> Answer:
        return Response(f"{error.description}\n", error.code, mimetype="text/plain")
