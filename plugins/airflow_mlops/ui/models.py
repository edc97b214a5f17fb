"""The fleet's page and the pages of its models."""

import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from airflow.configuration import conf
from fastapi import APIRouter, HTTPException, Request, status
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from airflow_mlops.dag_ids import dag_id_of
from airflow_mlops.ui.access import ROLL_BACK_DAG, Access, AccessDep, ReaderDep
from airflow_mlops.ui.acting import ActingUser
from airflow_mlops.ui.pages import render
from airflow_mlops.ui.questions import UNSEEN, Question
from airflow_mlops.ui.sources import mlflow_address, open_ledger, page_addresses, read_evaluation
from mlops_core.cards.places import card_page
from mlops_core.fleet.overview import read_fleet
from mlops_core.fleet.view import ModelView, read_model
from mlops_core.names import NAME_PATTERN
from mlops_core.registry.records import ApprovalRequest
from mlops_core.registry.transactions import utc_now

_ROWS_A_PAGE = 100
_RECENT = 25
"""Decisions of a timeline that are shown at once; the earlier ones unfold."""

DONE = {
    "approved": "Your approval is given. The training run goes on: it promotes and deploys the version.",
    "rejected": "Your rejection is given. The version does not go into production.",
    "roll-back": "The roll back has started; production changes as soon as its run has done it.",
    "roll-back-paused": f"The roll back is queued, and the DAG {ROLL_BACK_DAG} is paused: unpause it.",
    "training": "The training has started.",
    "training-paused": "The training is queued, and its DAG is paused: unpause it.",
}
"""What a page says after a change. The address carries the word alone, never text to show."""

_ANSWERS = frozenset({"approved", "rejected"})


def models_router(airflow: Callable[[], ASGIApp]) -> APIRouter:
    """Return the routes of the pages.

    Parameters
    ----------
    airflow
        Returns the Airflow that is asked whether a task still waits for an answer.
    """
    router = APIRouter()
    router.add_api_route("/models", show_fleet, methods=["GET"])
    router.add_api_route("/models/{model}", _endpoint(airflow), methods=["GET"])
    return router


def show_fleet(
    request: Request, access: AccessDep, q: str = "", attention: bool = False, page: int = 1
) -> HTMLResponse:
    """Show every model that the user may read."""
    now = utc_now()
    fleet = read_fleet(open_ledger(), among=access.readable_models(), now=now)
    found = fleet.matching(q[:100], only_needing=attention)
    last = max(1, -(-len(found) // _ROWS_A_PAGE))
    page = min(max(page, 1), last)
    return render(
        request,
        "fleet.html.jinja",
        fleet=fleet,
        found=len(found),
        rows=found[(page - 1) * _ROWS_A_PAGE : page * _ROWS_A_PAGE],
        query=q[:100],
        attention=attention,
        page=page,
        last=last,
        now=now,
        stored=page_addresses(request.scope.get("root_path", "")),
    )


def _endpoint(airflow: Callable[[], ASGIApp]) -> Callable[..., Awaitable[HTMLResponse]]:
    async def show_model(request: Request, model: str, access: ReaderDep, done: str = "") -> HTMLResponse:
        """Show one model."""
        user = ActingUser.of(request, airflow=airflow)
        return await model_page(request, model, access=access, user=user, done=done)

    return show_model


async def model_page(
    request: Request, model: str, *, access: Access, user: ActingUser, done: str = "", **context: Any
) -> HTMLResponse:
    """Render a model's page, with the first question that its tasks wait for."""
    asked, question = None, UNSEEN
    if found := await user.first_waiting(await run_in_threadpool(_open_requests, model)):
        asked, question = found
    # What waits was not answered, whatever the address says.
    done = "" if done in _ANSWERS and question.waits else DONE.get(done, "")
    return await run_in_threadpool(
        _page, request, model, access=access, asked=asked, question=question, done=done, **context
    )


def _page(
    request: Request,
    model: str,
    *,
    access: Access,
    asked: ApprovalRequest | None,
    question: Question,
    **context: Any,
) -> HTMLResponse:
    now = utc_now()
    view = _find_model(model, now=now, asked=asked)
    asked = view.standing.request
    return render(
        request,
        "model.html.jinja",
        view=view,
        model=model,
        now=now,
        key=secrets.token_hex(8),
        recent=_RECENT,
        mlflow=mlflow_address(),
        airflow_address=conf.get("api", "base_url", fallback="").rstrip("/"),
        stored=page_addresses(request.scope.get("root_path", "")),
        card_page=card_page,
        training_dag=dag_id_of(model, "train"),
        monitor_dag=dag_id_of(model, "monitor"),
        roll_back_dag=ROLL_BACK_DAG,
        question=question,
        caused=asked is not None and access.caused(asked),
        may_answer=asked is not None and access.may_answer(asked),
        may_roll_back=access.may_trigger(ROLL_BACK_DAG),
        may_train=access.may_trigger(dag_id_of(model, "train")),
        **{"problem": "", "reason": "", **context},
    )


def _open_requests(model: str) -> tuple[ApprovalRequest, ...]:
    return open_ledger().approval_requests(model)


def _find_model(model: str, *, now: Any, asked: ApprovalRequest | None = None) -> ModelView:
    """Read a model, or answer that there is none."""
    view = None
    if re.fullmatch(NAME_PATTERN, model):
        view = read_model(open_ledger(), model, read=read_evaluation, now=now, request=asked)
    if view is None:
        raise HTTPException(
            status.HTTP_404_NOT_FOUND,
            "The ledger knows no model of this name. A model appears here when its DAG file is parsed and"
            " its first training has begun.",
        )
    return view
