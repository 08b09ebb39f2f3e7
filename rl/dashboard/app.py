"""The pages and their addresses."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rl.dashboard.choice import Choice, choose
from rl.dashboard.episodes import Episodes, newest
from rl.dashboard.guard import REPORT_POLICY, guard
from rl.dashboard.listing import Rows
from rl.dashboard.views import View
from rl.errors import UserError
from rl.report import page
from rl.report.blocks import Replay
from rl.storage.files import LARGEST, read_bytes
from rl.storage.tables import Tables

if TYPE_CHECKING:
    from flask import Flask, Response

    Answer = str | Response | tuple[Any, ...]

OWN = Path(__file__).parent / "assets"
# Those of a run's page; its tables cannot be sorted, as they are replaced every few seconds.
FOLLOWING = (*(name for name in page.SCRIPTS if name != "tables.js"), "polling.js", "run.js")
FILES = {file.name: file for folder in (OWN, page.ASSETS) for file in folder.glob("*.[cj]s*")}
KINDS = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}


def create_app(root: Path, token: str | None = None, cookie: str = "token") -> Flask:
    """The pages of the runs in a folder, whose path must have no links.

    `token` and `cookie` are those of `guard`.
    """
    from flask import Flask
    from jinja2 import FileSystemLoader

    app = Flask("rl.dashboard", static_folder=None)
    app.jinja_options = {"loader": FileSystemLoader([OWN, page.ASSETS]), **page.options()}
    app.jinja_env.filters["json"] = page.to_json
    guard(app, token, cookie)
    pages = Pages(root)
    app.add_url_rule("/", "index", pages.index)
    for name in ("rows", "run", "data", "episode", "report"):
        app.add_url_rule(f"/{name}", name, getattr(pages, name))
    app.add_url_rule("/assets/<name>", "asset", _asset)
    _explain_errors(app)
    return app


class Pages:
    """Answers the requests about the runs in a folder."""

    def __init__(self, root: Path) -> None:
        self._root, self._rows = root, Rows(root)
        self._episodes = Episodes()
        self._tables = Tables()

    def index(self) -> Answer:
        """The list of runs."""
        return _render("list.html", root=str(self._root), rows=self._rows.read())

    def rows(self) -> Answer:
        """The rows of the list, for a page that is open."""
        return _render("rows.html", rows=self._rows.read())

    def run(self) -> Answer:
        """The page of a run, which then asks for its data."""
        choice = self._choose()
        view = choice.view(self._tables.read)
        return _render("run.html", choice=choice, view=view, scripts=FOLLOWING)

    def data(self) -> Answer:
        """The current contents of the page of a run."""
        from flask import jsonify, make_response, request

        choice = self._choose()
        stamp = choice.stamp()
        if stamp in request.if_none_match:
            return make_response("", 304)
        answer = jsonify(_data(choice, choice.view(self._tables.read)))
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
        file = self._choose().report
        if not file.is_file():
            _refuse(404, "The run has no report; `rl report RUN` writes one.")
        answer = _file(file)
        answer.headers["Content-Security-Policy"] = REPORT_POLICY
        return answer

    def _choose(self) -> Choice:
        from flask import request

        numbers = [request.args.get(name, type=int) for name in ("trial", "session")]
        try:
            return choose(self._root, request.args.get("name", ""), *numbers)
        except KeyError:
            _refuse(404, "There is no such run here.")


def _data(choice: Choice, view: View) -> dict[str, Any]:
    """What changes in the page of a run."""
    charts = [
        {"title": each.title, "note": each.note, "description": each.description, "data": each.data}
        for each in view.charts
    ]
    return {
        "state": view.state.word,
        "ended": view.state.ended,
        "head": _render("head.html", choice=choice, view=view),
        "logs": _render("logs.html", view=view),
        "charts": charts,
        "policy": _policy(choice),
    }


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

    return render_template(template, **values)


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
