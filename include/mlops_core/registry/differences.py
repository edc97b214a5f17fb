"""A cheap look at whether MLflow's aliases are what the ledger says, for whoever looks often."""

from mlflow import MlflowClient

from mlops_core.registry.aliases import wanted
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.mlflow_versions import search_versions
from mlops_core.registry.records import Aliases
from mlops_core.tracking import registry_errors

_PAGE = 1000


def differing_models(*, ledger: Ledger, client: MlflowClient) -> tuple[str, ...]:
    """Return the models whose ``champion`` or ``challenger`` in MLflow is another than the ledger's.

    It asks MLflow once a thousand models, and once more for each that differs; it changes nothing. An alias
    whose version was deleted from MLflow cannot be healed and is left to the reconciliation's report.

    Raises
    ------
    RegistryUnavailableError, LedgerUnavailableError
        If one of the two does not answer.
    """
    shown = _shown(client)
    nothing = Aliases(champion=None, challenger=None)
    pairs = ((model, wanted(ledger.state(model)), shown.get(model, nothing)) for model in ledger.models())
    return tuple(
        model
        for model, aim, found in pairs
        if aim != found and _can_be_healed(model, aim=aim, found=found, client=client)
    )


def _can_be_healed(model: str, *, aim: Aliases, found: Aliases, client: MlflowClient) -> bool:
    """Return whether an alias can be set right: one whose version was deleted from MLflow cannot."""
    present = search_versions(client, model).keys() | {None}
    return any(
        expected in present
        for expected, shown in zip(
            (aim.champion, aim.challenger), (found.champion, found.challenger), strict=True
        )
        if expected != shown
    )


def _shown(client: MlflowClient) -> dict[str, Aliases]:
    found: dict[str, Aliases] = {}
    token: str | None = None
    while True:
        with registry_errors("read the aliases of all models"):
            page = client.search_registered_models(max_results=_PAGE, page_token=token)
        for model in page:
            aliases = {name: int(version) for name, version in model.aliases.items()}
            found[model.name] = Aliases(
                champion=aliases.get("champion"), challenger=aliases.get("challenger")
            )
        token = page.token
        if not token:
            return found
