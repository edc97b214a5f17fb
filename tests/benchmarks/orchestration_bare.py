"""The loop of the orchestration benchmark in one Python process: the same library functions, one after the
other.

Usage: python orchestration_bare.py orchestration_models:SHORT_BARE_0
"""

import sys

from mlops_core.data.ingest import load_partition, publish_partition
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.data.validation import validate_partition
from mlops_core.evaluation.evaluate import evaluate, read_report
from mlops_core.evaluation.gates import enforce
from mlops_core.monitoring.capture import capture_profile
from mlops_core.pipeline import load_pipeline
from mlops_core.planning import TrainingRequest, plan_training
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.promotion import promote
from mlops_core.registry.register import register
from mlops_core.reports import ReportStore
from mlops_core.settings import Settings
from mlops_core.signing.keys import generate_key_pair
from mlops_core.tracking import tracking_client
from mlops_core.training.train import train

PARTITION = "2013-07"


def run_loop(reference: str) -> None:
    """Ingest, validate, train, evaluate, gate, register, promote."""
    settings = Settings.from_environment()
    generate_key_pair(settings.signing_key, settings.trusted_keys)
    pipeline = load_pipeline(reference)
    store, reports = SnapshotStore(settings.data_uri), ReportStore(settings.reports_path)
    ledger, client = Ledger(settings.ledger_url), tracking_client(settings.tracking_uri)

    staged = load_partition(pipeline, partition=PARTITION, store=store)
    validation = validate_partition(pipeline, staged=staged, store=store, reports=reports)
    publish_partition(staged, validation=validation, store=store)
    plan = plan_training(
        pipeline,
        request=TrainingRequest(requested_by="person", actor="benchmark"),
        reference=reference,
        store=store,
        ledger=ledger,
        tracking_uri=settings.tracking_uri,
        operation_key=f"bare/{pipeline.name}",
    )
    results = [train(job) for job in plan.jobs]
    report = evaluate(
        pipeline,
        plan=plan,
        results=results,
        store=store,
        tracking_uri=settings.tracking_uri,
        reports=reports,
        report_key=pipeline.name,
    )
    enforce(read_report(client, report.challenger.run_id, digest=report.digest()))
    capture_profile(pipeline, report=report, store=store, tracking_uri=settings.tracking_uri)
    version = register(
        report,
        ledger=ledger,
        tracking_uri=settings.tracking_uri,
        operation_key=f"bare/{pipeline.name}/register",
        actor="benchmark",
    )
    promote(
        version,
        report=report,
        operation_key=f"bare/{pipeline.name}/promote",
        actor="benchmark",
        reason="benchmark",
        ledger=ledger,
        tracking_uri=settings.tracking_uri,
    )


if __name__ == "__main__":
    run_loop(sys.argv[1])
