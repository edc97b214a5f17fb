"""What ``mlops reproduce`` does, with the services that the environment names."""

import uuid

from mlops_core.cli.addresses import tracking_uri_of
from mlops_core.cli.check.command import find_models
from mlops_core.registry.ledger import Ledger
from mlops_core.reports import ReportStore
from mlops_core.reproduction.report import ReproductionReport
from mlops_core.reproduction.reproduce import reproduce_and_report
from mlops_core.settings import Settings


def reproduce(model: str, version: int, *, environment: str) -> ReproductionReport:
    """Reproduce a version of the ledger and keep the report.

    Raises
    ------
    DeclarationError
        If there is no such version, or no such environment.
    LedgerUnavailableError
        If there is no ledger; none is made.
    """
    find_models()
    settings = Settings.from_environment()
    with Ledger(settings.ledger_url) as ledger:
        ledger.require_present()
        return reproduce_and_report(
            model,
            version,
            ledger=ledger,
            tracking_uri=tracking_uri_of(settings),
            data_uri=settings.data_uri,
            reports=ReportStore(settings.reports_path),
            # Each call asks for another fit: that the last one was identical is known.
            operation_key=f"mlops reproduce/{model}/{version}/{uuid.uuid4().hex}",
            environment=environment,
        )
