"""What depends on a version: as long as anything does, it is not retired."""

from collections.abc import Sequence

from mlops_core.errors import RetirementRefusedError
from mlops_core.registry.ledger import Ledger


def require_unused(model: str, version: int, *, ledger: Ledger, in_use: Sequence[str] = ()) -> None:
    """Return if nothing depends on a version.

    The ledger asks itself the same once more in the transaction that retires it, so what comes between is
    refused; of what the caller knows besides it asks nothing.

    Parameters
    ----------
    in_use
        What the caller knows besides, each in words: ``"run manual__1 of toy__score scores with it"``.

    Raises
    ------
    RetirementRefusedError
        Naming everything that depends on it, and the way out of each; or who has retired it already.
    """
    found = (*ledger.retirement_obstacles(model, version), *in_use)
    if found:
        raise RetirementRefusedError(f"version {version} of {model!r} cannot be retired: {'; '.join(found)}")
