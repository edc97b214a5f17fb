"""Bring one partition of data in: load, validate, publish."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_mlops.assets import snapshot_asset
from airflow_mlops.links import ValidationPageLink
from airflow_mlops.openlineage import OpenLineageMixin
from airflow_mlops.operators.step import PipelineOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_core.data.documents import PublishedPartition, StagedPartition


class LoadPartitionOperator(OpenLineageMixin, PipelineOperator):
    """Call the pipeline's loader and stage what it returns; XCom: ``StagedPartition``.

    Parameters
    ----------
    partition
        Key of the partition; templated. By default the partition of the DAG run.
    """

    template_fields: Sequence[str] = ("partition",)

    def __init__(self, *, partition: str = "{{ dag_run.partition_key or '' }}", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.partition = partition

    def step(self, context: "Context") -> "StagedPartition":  # noqa: ARG002
        """Load and stage."""
        from mlops_core.data.ingest import load_partition
        from mlops_core.lineage.openlineage import StepLineage, staged_dataset

        staged = load_partition(self.declaration, partition=self.partition, store=self.snapshots)
        self.lineage = StepLineage(outputs=(staged_dataset(staged),))
        return staged


class ValidatePartitionOperator(PipelineOperator):
    """Check a staged partition against its expectation suite; XCom: ``ValidationResult``.

    Refused data are kept aside with their failed rows, and the task fails without a retry.

    Parameters
    ----------
    staged
        What ``LoadPartitionOperator`` returned; templated.
    """

    template_fields: Sequence[str] = ("staged",)
    operator_extra_links = (ValidationPageLink(),)

    def __init__(self, *, staged: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.staged = staged

    def step(self, context: "Context") -> Any:  # noqa: ARG002
        """Validate and require success."""
        from mlops_core.data.documents import StagedPartition
        from mlops_core.data.validation import validate_partition

        result = validate_partition(
            self.declaration,
            staged=StagedPartition.model_validate(self.staged),
            store=self.snapshots,
            reports=self.reports,
        )
        self.show_report("validation", result.report)
        for warning in result.warnings:
            self.log.warning("expectation not met: %s", warning)
        result.require_success()
        return result


class PublishPartitionOperator(OpenLineageMixin, PipelineOperator):
    """Publish a validated partition as a new version of the snapshot; XCom: ``PublishedPartition``.

    Emits the snapshot asset with the partition and its identity.

    Parameters
    ----------
    staged
        What ``LoadPartitionOperator`` returned; templated.
    validation
        What ``ValidatePartitionOperator`` returned for it; templated. Without it nothing is published.
    """

    template_fields: Sequence[str] = ("staged", "validation")

    def __init__(self, *, staged: Any, validation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.staged = staged
        self.validation = validation

    def step(self, context: "Context") -> "PublishedPartition":
        """Commit the partition and describe it in the asset event."""
        from mlops_core.data.documents import StagedPartition, ValidationResult
        from mlops_core.data.ingest import publish_partition
        from mlops_core.lineage.openlineage import StepLineage, partition_dataset, staged_dataset

        staged = StagedPartition.model_validate(self.staged)
        published = publish_partition(
            staged,
            validation=ValidationResult.model_validate(self.validation),
            store=self.snapshots,
        )
        self.log.info(
            "%s %s: %d rows, table version %d%s",
            published.pipeline,
            published.partition,
            published.rows,
            published.snapshot.version,
            ", adopted" if published.adopted else "",
        )
        self.lineage = StepLineage(inputs=(staged_dataset(staged),), outputs=(partition_dataset(published),))
        asset = snapshot_asset(self.declaration.name)
        if asset in self.outlets:
            context["outlet_events"][asset].extra = published.model_dump(mode="json")
        return published
