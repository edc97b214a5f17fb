"""What depends on a version: as long as anything does, it is not retired."""

from collections.abc import Iterator, Sequence

from mlops_core.errors import RetirementRefusedError
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.stack import roll_back_target


def require_unused(model: str, version: int, *, ledger: Ledger, in_use: Sequence[str] = ()) -> None:
    """Return if nothing depends on a version.

    The ledger asks the same once more in the transaction that retires it, so what comes between is refused.

    Parameters
    ----------
    in_use
        What the caller knows besides, each in words: ``"run manual__1 of toy__score scores with it"``.

    Raises
    ------
    RetirementRefusedError
        Naming everything that depends on it, and the way out of each; or who has retired it already.
    """
    found = (*_in_ledger(model, version, ledger=ledger), *in_use)
    if found:
        raise RetirementRefusedError(f"version {version} of {model!r} cannot be retired: {'; '.join(found)}")


def _in_ledger(model: str, version: int, *, ledger: Ledger) -> Iterator[str]:
    retired = {past.version: past for past in ledger.retirements(model)}
    if version in retired:
        past = retired[version]
        yield f"{past.actor!r} retired it at {past.at.isoformat()}; nothing is left to do"
    state = ledger.state(model)
    if state.champion is not None and state.champion.version == version:
        yield "it is in production; promote another version or roll back first"
    elif version == roll_back_target(ledger.history(model), retired=retired):
        yield "a roll back would return to it; promote another version first"
    if state.challenger is not None and state.challenger.version == version:
        yield "it is the challenger; promote it, or register another version"
    for deployed in ledger.deployments():
        if (deployed.model, deployed.version.version) == (model, version):
            yield "the model server serves it; deploy the version in production first"
    for request in ledger.approval_requests(model):
        if request.version == version:
            yield f"its approval is asked for by {request.dag_id} {request.run_id}; answer that first"
