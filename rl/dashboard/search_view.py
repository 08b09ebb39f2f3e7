"""The page of a search."""

from __future__ import annotations

from rl.analysis.search_charts import score_chart
from rl.analysis.search_figures import Result, describe_parameters
from rl.dashboard.plan import Plan, read_plan
from rl.dashboard.progress import SearchProgress, search_progress
from rl.dashboard.states import State, run_state
from rl.dashboard.view import Trial, View, verdict
from rl.report.blocks import Figure
from rl.report.search_page import failures
from rl.storage.run_folder import RunFolder


def search_view(folder: RunFolder) -> View:
    """What a search has tried so far, and how good that was.

    Raises:
        UserError: a file is damaged.
    """
    plan = read_plan(folder)
    progress = search_progress(plan, folder)
    search, sentences = progress.search, []
    figures = [
        Figure("trials", progress.trials, "ended"),
        Figure("sessions", str(progress.ended_sessions), "ended"),
    ]
    statistic = search.statistic.replace("_", " ")
    if search.scored:
        best = search.scored[0]
        found = f"trial {best['trial']}"
        sentences = [f"The best so far is {found}: {describe_parameters(best['parameters'])}."]
        figures.append(Figure("best score", f"{best['score']:,.4g}", f"{statistic} of {found}"))
    return View(
        plan,
        progress.state,
        verdict(progress.state, folder, sentences, figures),
        [score_chart(search)] if search.scored else [],
        [failures(search.results)],
        trials=[_trial(result, progress, plan) for result in search.results],
        statistic=statistic,
    )


def _trial(result: Result, progress: SearchProgress, plan: Plan) -> Trial:
    """A trial without a result has the state of its sessions."""
    sessions, state = progress.sessions[result["trial"]], State(result["state"], ended=True)
    if result["state"] == "unfinished":
        state = run_state(sessions, plan.sessions)
    ended = f"{sum(each.ended for each in sessions)} of {plan.sessions}"
    parameters = describe_parameters(result["parameters"])
    return Trial(result["trial"], state, result["score"], ended, parameters)
