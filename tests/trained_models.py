"""Trained models as an evaluation loads them: built from what the job's pipeline declares, no more."""

from mlops_core.models.loaded import LoadedModel
from mlops_core.models.stored import load_model
from mlops_core.models.trust import TrustedCode
from mlops_core.pipeline import load_pipeline
from mlops_core.training.job import TrainJob, TrainResult


def load_trained(result: TrainResult, job: TrainJob) -> LoadedModel:
    """Load what a train job has stored."""
    declared = TrustedCode.declared_by(load_pipeline(job.reference))
    return load_model(result.model, tracking_uri=job.tracking_uri, trusted=declared)
