"""How a search stands."""

from __future__ import annotations

from collections.abc import Sequence

from rl.analysis.search_charts import score_chart
from rl.analysis.search_figures import Result, describe_parameters
from rl.dashboard.plan import Plan, read_plan
from rl.dashboard.progress import count_ended, read_trials
from rl.dashboard.states import State, run_state, search_state, session_state
from rl.dashboard.view import Trial, View, sentences, verdict
from rl.report.blocks import Figure
from rl.report.search_page import failures
from rl.storage.run_folder import RunFolder


def search_view(folder: RunFolder) -> View:
    """What a search has tried so far, and what that was worth.

    Raises:
        UserError: a file is damaged.
    """
    plan, results = read_plan(folder), read_trials(folder)
    sessions = {
        result["trial"]: [session_state(each) for each in folder.trial(result["trial"]).sessions()]
        for result in results
    }
    every = [state for states in sessions.values() for state in states]
    state = search_state(every, [result["state"] for result in results])
    scored = [result for result in results if result["score"] is not None]
    figures = _figures(plan, results, every, scored)
    return View(
        plan,
        state,
        verdict(state, [*sentences(state, folder.path), *_best(scored)], figures),
        [score_chart(scored, plan.search["statistic"])] if scored else [],
        [failures(results)],
        trials=[_trial(result, sessions[result["trial"]], plan) for result in results],
    )


def _best(scored: Sequence[Result]) -> list[str]:
    if not scored:
        return []
    best = scored[0]
    return [f"The best so far is trial {best['trial']}: {describe_parameters(best['parameters'])}."]


def _figures(
    plan: Plan, results: Sequence[Result], sessions: Sequence[State], scored: Sequence[Result]
) -> list[Figure]:
    wanted = plan.search["trials"]
    figures = [
        Figure("trials", f"{count_ended(results)}{f' of {wanted}' if wanted else ''}", "ended"),
        Figure("sessions", f"{sum(each.ended for each in sessions)}", "ended"),
    ]
    if scored:
        best = scored[0]
        note = f"{plan.search['statistic'].replace('_', ' ')} of trial {best['trial']}"
        figures.append(Figure("best score", f"{best['score']:,.4g}", note))
    return figures


def _trial(result: Result, sessions: Sequence[State], plan: Plan) -> Trial:
    """A trial that has no result yet stands as its sessions do."""
    state = State(result["state"], ended=True)
    if result["state"] == "unfinished":
        state = run_state(sessions, plan.sessions)
    return Trial(
        result["trial"],
        state,
        result["score"],
        f"{sum(each.ended for each in sessions)} of {plan.sessions}",
        describe_parameters(result["parameters"]),
    )
