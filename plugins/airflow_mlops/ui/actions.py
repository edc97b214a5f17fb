"""Approve, reject, roll back, train: each with a reason, bound to what the page showed, as the user."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Depends, HTTPException, Request, status
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from airflow_mlops.dag_ids import dag_id_of
from airflow_mlops.ui.access import ROLL_BACK_DAG, Access, ReaderDep
from airflow_mlops.ui.acting import ActingUser, AirflowRefusedError, StartedAlreadyError
from airflow_mlops.ui.forms import ActionForm, InvalidFormError, read_form
from airflow_mlops.ui.models import model_page
from airflow_mlops.ui.origin import require_same_origin
from airflow_mlops.ui.pages import show_message
from airflow_mlops.ui.sources import open_ledger
from mlops_core.policies import APPROVE, REJECT
from mlops_core.registry.records import ApprovalRequest, LedgerState

Act = Callable[[ActingUser, Access, str, ActionForm], Awaitable[str]]
"""Does what a form asks and returns the word for what was done."""


class StaleFormError(Exception):
    """What the page showed is not so any more."""


def actions_router(airflow: Callable[[], ASGIApp]) -> APIRouter:
    """Return the routes that change something.

    Parameters
    ----------
    airflow
        Returns the Airflow whose API carries the changes out.
    """
    # A request that nobody may trust is refused before it is read.
    router = APIRouter(dependencies=[Depends(require_same_origin)])

    for action, act in _ACTS.items():
        router.add_api_route(f"/models/{{model}}/{action}", _endpoint(act, airflow), methods=["POST"])
    return router


def _endpoint(act: Act, airflow: Callable[[], ASGIApp]) -> Callable[..., Awaitable[Response]]:
    async def perform(request: Request, model: str, access: ReaderDep) -> Response:
        return await _perform(request, model, access=access, act=act, airflow=airflow)

    return perform


async def _perform(
    request: Request, model: str, *, access: Access, act: Act, airflow: Callable[[], ASGIApp]
) -> Response:
    user = ActingUser.of(request, airflow=airflow)
    base = request.scope.get("root_path", "")
    try:
        done = await act(user, access, model, await read_form(request))
    except InvalidFormError as error:
        again: dict[str, Any] = {"status_code": 422, "problem": str(error), "reason": error.reason}
        return await model_page(request, model, access=access, user=user, **again)
    except (StaleFormError, StartedAlreadyError) as error:
        problem = f"Nothing was changed. {error} This is the state now: look again, then decide."
        return await model_page(request, model, access=access, user=user, status_code=409, problem=problem)
    except AirflowRefusedError as error:
        title, code = _refusal(error)
        return show_message(
            request,
            status_code=code,
            title=title,
            message=f"Nothing was changed. Airflow says: {error}",
            back=f"{base}/models/{model}",
        )
    return RedirectResponse(f"{base}/models/{model}?done={done}", status.HTTP_303_SEE_OTHER)


def _answer(option: str, done: str) -> Act:
    async def act(user: ActingUser, access: Access, model: str, form: ActionForm) -> str:
        shown = await user.first_waiting(await run_in_threadpool(_requests_shown, model, form))
        if shown is None:
            raise StaleFormError("What you decided on does not wait for approval any more.")
        asked, question = shown
        _require(await run_in_threadpool(access.may_answer, asked), "approve or reject it")
        if not question.waits:
            raise StaleFormError(question.words)
        await user.answer(asked, option=option, reason=form.reason)
        return done

    return act


async def _roll_back(user: ActingUser, access: Access, model: str, form: ActionForm) -> str:
    _require(await run_in_threadpool(access.may_trigger, ROLL_BACK_DAG), f"start {ROLL_BACK_DAG}")
    state = await run_in_threadpool(_state_as_shown, model, form)
    if state.champion is None or state.champion.version != form.version:
        raise StaleFormError("Another version is in production.")
    conf = {"model": model, "reason": form.reason, "version": state.champion.version}
    paused = await user.trigger(ROLL_BACK_DAG, run_id=f"models_page__{form.key}", conf=conf)
    return "roll-back-paused" if paused else "roll-back"


async def _train(user: ActingUser, access: Access, model: str, form: ActionForm) -> str:
    dag_id = dag_id_of(model, "train")
    _require(await run_in_threadpool(access.may_trigger, dag_id), f"start {dag_id}")
    await run_in_threadpool(_state_as_shown, model, form)
    paused = await user.trigger(dag_id, run_id=f"models_page__{form.key}", conf={"reason": form.reason})
    return "training-paused" if paused else "training"


def _require(allowed: bool, what: str) -> None:
    if not allowed:
        raise HTTPException(status.HTTP_403_FORBIDDEN, f"Nothing was changed: you may not {what}.")


def _requests_shown(model: str, form: ActionForm) -> list[ApprovalRequest]:
    """Return what the ledger has open of what the page showed; asked again, it is there twice."""
    shown = (form.version, form.generation, form.evidence)
    return [
        asked
        for asked in open_ledger().approval_requests(model)
        if (asked.version, asked.generation, asked.evidence_digest) == shown
    ]


def _state_as_shown(model: str, form: ActionForm) -> LedgerState:
    state = open_ledger().state(model)
    if state.generation != form.generation:
        raise StaleFormError(
            f"The page showed generation {form.generation}, and by now it is {state.generation}."
        )
    return state


_ACTS: dict[str, Act] = {
    "approve": _answer(APPROVE, "approved"),
    "reject": _answer(REJECT, "rejected"),
    "roll-back": _roll_back,
    "train": _train,
}


def _refusal(error: AirflowRefusedError) -> tuple[str, int]:
    match error.status_code:
        case status.HTTP_401_UNAUTHORIZED | status.HTTP_403_FORBIDDEN:
            return "You may not do this", status.HTTP_403_FORBIDDEN
        case status.HTTP_409_CONFLICT:
            return "Somebody was first", status.HTTP_409_CONFLICT
        case status.HTTP_404_NOT_FOUND:
            return "What was asked for is gone", status.HTTP_409_CONFLICT
        case _:
            return "Airflow refused", status.HTTP_502_BAD_GATEWAY
