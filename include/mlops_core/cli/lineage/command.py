"""What ``mlops lineage`` reads, from the services that the environment names."""

from mlops_core.cli.addresses import tracking_uri_of
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import DeclarationError, NotInProductionError
from mlops_core.lineage.documents import PartitionLineage, VersionLineage
from mlops_core.lineage.trace import lineage_of_partition, lineage_of_version
from mlops_core.registry.ledger import Ledger
from mlops_core.settings import Settings
from mlops_core.tracking import tracking_client


def trace(model: str, *, version: int | None, partition: str | None) -> VersionLineage | PartitionLineage:
    """Return the lineage of a version, or of a partition; of the version in production if neither is named.

    Raises
    ------
    DeclarationError
        If both are named, or what is named is not known.
    NotInProductionError
        If neither is named and nothing is in production.
    LedgerUnavailableError
        If there is no ledger; none is made.
    """
    if version is not None and partition is not None:
        raise DeclarationError("give --version or --partition, not both: each has a lineage of its own")
    settings = Settings.from_environment()
    client = tracking_client(tracking_uri_of(settings))
    store = SnapshotStore(settings.data_uri)
    with Ledger(settings.ledger_url) as ledger:
        ledger.require_present()
        if partition is not None:
            return lineage_of_partition(model, partition, ledger=ledger, client=client, store=store)
        number = _champion(model, ledger=ledger) if version is None else version
        return lineage_of_version(model, number, ledger=ledger, client=client, store=store)


def _champion(model: str, *, ledger: Ledger) -> int:
    champion = ledger.state(model).champion
    if champion is None:
        known = ", ".join(ledger.models()) or "none"
        raise NotInProductionError(
            f"{model!r} has no version in production; name one with --version (models in the ledger: {known})"
        )
    return champion.version
