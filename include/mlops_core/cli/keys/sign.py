"""What ``mlops keys sign`` does, with the services that the environment names."""

import getpass
import uuid

from mlops_core.cli.addresses import tracking_uri_of
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import VersionRecord
from mlops_core.registry.signatures import sign_version
from mlops_core.reports import ReportStore
from mlops_core.settings import Settings
from mlops_core.tracking import tracking_client


def sign(model: str, version: int, *, reason: str) -> VersionRecord:
    """Sign a version of the ledger that no trusted key has signed; see ``sign_version``."""
    settings = Settings.from_environment()
    with Ledger(settings.ledger_url) as ledger:
        ledger.require_present()
        return sign_version(
            model,
            version,
            ledger=ledger,
            client=tracking_client(tracking_uri_of(settings)),
            reports=ReportStore(settings.reports_path),
            actor=getpass.getuser(),
            reason=reason,
            operation_key=f"mlops keys sign/{model}/{version}/{uuid.uuid4().hex}",
        )
