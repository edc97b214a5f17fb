"""The assets that chain one model's DAGs; each event names a partition and carries a document."""

from airflow.sdk import Asset, AssetWatcher


def snapshot_asset(model: str) -> Asset:
    """Return the asset whose events say: a partition was published (``PublishedPartition``)."""
    return _asset(model, "snapshot")


def predictions_asset(model: str) -> Asset:
    """Return the asset whose events say: a partition was scored (``ScoredPartition``)."""
    return _asset(model, "predictions")


def retraining_request_asset(model: str) -> Asset:
    """Return the asset whose events say: a training is asked for (``RetrainingDecision``)."""
    return _asset(model, "retraining_request")


def aliases_asset() -> Asset:
    """Return the asset whose events say: MLflow's aliases are not what the ledger says."""
    from airflow_mlops.triggers.aliases import AliasesTrigger

    watcher = AssetWatcher(name="mlflow_aliases", trigger=AliasesTrigger())
    return Asset(name="mlops__aliases", uri="mlops://fleet/aliases", group="mlops", watchers=[watcher])


def _asset(model: str, kind: str) -> Asset:
    return Asset(name=f"{model}__{kind}", uri=f"mlops://{model}/{kind}", group="mlops")
