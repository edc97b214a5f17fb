"""Build a registered version again from what was recorded, and say whether it is the same."""

import logging
from pathlib import Path

from mlflow import MlflowClient

from mlops_core.models.stored import ModelReference
from mlops_core.models.trust import AS_THE_FILES_SAY, Trust, TrustedCode
from mlops_core.operation import operation_key as key_of
from mlops_core.pipeline import load_pipeline
from mlops_core.registry.ledger import Ledger, VersionRecord
from mlops_core.reports import ReportStore
from mlops_core.reproduction.clean_process import run_clean
from mlops_core.reproduction.comparison import fetch
from mlops_core.reproduction.page import render
from mlops_core.reproduction.recorded import (
    FitRecord,
    read_fit,
    require_declared,
    require_same,
    require_signed,
)
from mlops_core.reproduction.report import EnvironmentChoice, ReproductionReport, environment_named
from mlops_core.reproduction.verdict import Fitted, judge
from mlops_core.reproduction.workplace import current_workplace, recorded_workplace
from mlops_core.settings import Settings
from mlops_core.signing.verifier import Verifier
from mlops_core.tracking import adopt_or_create_run, registry_errors, tracking_client
from mlops_core.training.job import TrainJob

REPRODUCES_TAG = "mlops.reproduces"
"""On a run: the version that it builds again. Such a run is never a candidate."""

REPORT_KIND = "reproduction"

log = logging.getLogger(__name__)


def reproduce(
    version: VersionRecord,
    *,
    tracking_uri: str,
    data_uri: str,
    operation_key: str,
    reference: str | None = None,
    environment: EnvironmentChoice = "recorded",
    cache: Path | None = None,
) -> ReproductionReport:
    """Fit a version again from its recorded job, in a clean process, and compare the two models.

    The second fit is a run of its own in the experiment ``<model>/reproduction``. The same operation key
    adopts it.

    Parameters
    ----------
    reference
        Where the model's declaration is found; what the recorded job says if None.
    environment
        ``recorded`` installs the recorded packages where others are here, and checks out the recorded commit;
        ``current`` fits with what is here.
    cache
        Folder that keeps such environments; ``environments`` in the home if None.

    Raises
    ------
    NotReproducibleError
        If the fit or its evaluation was not recorded, its packages cannot be installed, or the second fit
        ended without a reason.
    RegistryMismatchError
        If what MLflow has recorded is not of this version.
    CorruptedDataError, SnapshotMissingError
        If the data are not what was trained on, or are gone.
    UntrustedModelError
        If no trusted key has signed the version, its files are not what was stored, or the second model names
        or holds what neither the first nor the declaration does.
    RegistryUnavailableError
        If MLflow does not answer; call again.
    """
    # It covers the files and the evidence, not what the run has recorded of code, packages and parameters:
    # those are only taken from what is trusted anyway.
    Verifier.from_settings().verify(version)
    client = tracking_client(tracking_uri)
    recorded = read_fit(client, version.run_id)
    require_same(version, recorded)
    require_signed(client, version, recorded.job)
    if reference is not None:
        require_declared(recorded.job, reference=reference)
    # First, so that nothing is fitted for a version whose files are not what was stored. It is signed, so its
    # files say themselves what it may be built from.
    first = _fitted(client, version, fit=recorded, tracking_uri=tracking_uri, trusted=AS_THE_FILES_SAY)
    if environment == "current":
        workplace = current_workplace()
    else:
        kept = Settings.from_environment().home / "environments" if cache is None else cache
        workplace = recorded_workplace(recorded.job, recorded.environment, cache=kept)
    job = _second_job(client, recorded, version, operation_key=operation_key)
    job = job.model_copy(update={"tracking_uri": tracking_uri, "data_uri": data_uri})
    log.info("fitting version %d of %s again in run %s", version.version, version.model, job.run_id)
    result = run_clean(job, workplace)
    fit = read_fit(client, result.run_id)
    # Nobody has signed the second one: it may need what the first did, or what is declared here by now.
    trusted = first.stored.named.also(TrustedCode.declared_by(load_pipeline(recorded.job.reference)))
    second = _fitted(client, result.model, fit=fit, tracking_uri=tracking_uri, trusted=trusted)
    return judge(version, first, second, environment=environment, data_uri=data_uri)


def reproduce_and_report(
    model: str,
    version: int,
    *,
    ledger: Ledger,
    tracking_uri: str,
    data_uri: str,
    reports: ReportStore,
    operation_key: str,
    environment: str = "recorded",
) -> ReproductionReport:
    """Reproduce a version of the ledger, and keep the report as a page and as JSON.

    Parameters
    ----------
    environment
        ``recorded`` or ``current``, as a person or a run's conf has written it; see ``reproduce``.

    Returns
    -------
    The report, which names its page.

    Raises
    ------
    DeclarationError
        If the ledger has no such version, or there is no such environment. Otherwise as ``reproduce``.
    """
    chosen = environment_named(environment)
    record, declared = ledger.version(model, version), ledger.pipeline(model)
    report = reproduce(
        record,
        reference=None if declared is None else declared.reference,
        tracking_uri=tracking_uri,
        data_uri=data_uri,
        operation_key=operation_key,
        environment=chosen,
    )
    place = {"pipeline": model, "kind": REPORT_KIND, "key": operation_key}
    report = report.model_copy(update={"page": reports.relative_path(**place, name="report.html")})
    reports.write(**place, name="report.json", content=report.model_dump_json(indent=2))
    reports.write(**place, name="report.html", content=render(report))
    return report


def _fitted(
    client: MlflowClient, reference: ModelReference, *, fit: FitRecord, tracking_uri: str, trusted: Trust
) -> Fitted:
    stored = fetch(reference, tracking_uri=tracking_uri, trusted=trusted)
    model_id = fit.result.model.model_id
    with registry_errors(f"read the parameters of {model_id}"):
        parameters = client.get_logged_model(model_id).params
    return Fitted(fit=fit, stored=stored, parameters=parameters)


def _second_job(
    client: MlflowClient, recorded: FitRecord, version: VersionRecord, *, operation_key: str
) -> TrainJob:
    """Return the recorded fit as a job with a key and a run of its own.

    What a search had found are its parameters: a search with a time limit could find others.
    """
    own_key = key_of(operation_key, "reproduction")
    run_id = adopt_or_create_run(
        client,
        # Away from the candidates: who looks for the best of them must not find one twice.
        experiment=f"{version.model}/reproduction",
        operation_key=own_key,
        run_name=f"version {version.version} again",
        tags={REPRODUCES_TAG: f"{version.model} {version.version}"},
    )
    return recorded.job.model_copy(
        update={
            "parameters": recorded.result.parameters,
            "search": None,
            "cross_validation": 0,
            "operation_key": own_key,
            "run_id": run_id,
        }
    )
