"""Batch predictions of one partition."""

from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_mlops.assets import predictions_asset, snapshot_asset
from airflow_mlops.openlineage import OpenLineageMixin
from airflow_mlops.operators.step import PipelineOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_core.data.snapshots import PublishedPartition
    from mlops_core.scoring.batch import ScoredPartition


class ScoreOperator(OpenLineageMixin, PipelineOperator):
    """Score a partition with the version in production when the run was due; XCom: ``ScoredPartition``.

    The partition is the one of the asset event that caused the run, as it was published then; for a run
    triggered with a partition key it is the partition as the snapshot holds it now. A run cleared later
    scores again with the version of its own time. Skipped when nothing was in production.
    """

    def step(self, context: "Context") -> "ScoredPartition":
        """Score, or adopt the same predictions."""
        from mlops_core.lineage.openlineage import StepLineage, partition_dataset, version_dataset
        from mlops_core.scoring.batch import score_partition

        model = self.declaration.name
        due = context["dag_run"].run_after
        version = self.ledger.in_production(model, at=due)
        if version is None:
            raise AirflowSkipException(f"{model} had no version in production at {due:%Y-%m-%d %H:%M:%S %Z}")
        scored = score_partition(
            self.declaration,
            published=self._published(context),
            version=version,
            store=self.snapshots,
            tracking_uri=self.tracking_uri,
        )
        self.lineage = StepLineage(
            inputs=(
                partition_dataset(scored.source),
                version_dataset(scored.version, tracking_uri=self.tracking_uri),
            ),
            outputs=(partition_dataset(scored.predictions),),
        )
        asset = predictions_asset(model)
        if asset in self.outlets:
            context["outlet_events"][asset].extra = scored.model_dump(mode="json")
        return scored

    def _published(self, context: "Context") -> "PublishedPartition":
        from mlops_core.data.snapshots import PublishedPartition

        asset = snapshot_asset(self.declaration.name)
        if events := context["triggering_asset_events"].get(asset):
            return PublishedPartition.model_validate(events[-1].extra)
        partition = context["dag_run"].partition_key
        if partition is None:
            raise AirflowFailException("no partition to score: trigger the run with a partition key")
        return self.snapshots.published(self.declaration.name, partition)
