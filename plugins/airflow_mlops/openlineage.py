"""Tells Airflow's OpenLineage provider what a step has read and made."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from mlops_core.lineage.openlineage import StepLineage


class OpenLineageMixin:
    """An operator whose step says what it has read and made: it sets ``lineage`` before it returns.

    The provider asks once the task has ended, in the process that has run it. Its classes are imported then
    alone, so that an Airflow without the provider needs none of them.
    """

    lineage: "StepLineage | None" = None

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> "OperatorLineage[Any, Any] | None":  # noqa: ARG002
        """Return what the step has told as the provider's document; None if it has told nothing."""
        if self.lineage is None:
            return None
        from airflow_mlops.facets import operator_lineage

        return operator_lineage(self.lineage)
