"""Datasets of the library as OpenLineage's, with their facets. Imported only where the provider asks."""

from typing import TYPE_CHECKING, Any

import attr
from airflow.providers.openlineage.extractors import OperatorLineage
from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    DatasetFacet,
    InputDatasetFacet,
    OutputDatasetFacet,
    dataset_version_dataset,
    input_statistics_input_dataset,
    output_statistics_output_dataset,
    schema_dataset,
    storage_dataset,
)

if TYPE_CHECKING:
    from mlops_core.lineage.openlineage import LineageDataset, StepLineage

_FILE_FORMATS = {"delta": "parquet", "parquet": "parquet", "mlflow": "mlmodel"}


@attr.define
class MlopsDatasetFacet(DatasetFacet):
    """What identifies the dataset beyond its version: digests, the partition, the run."""

    details: dict[str, str]


def operator_lineage(lineage: "StepLineage") -> OperatorLineage[Any, Any]:
    """Return what a step has read and made as the provider's document."""
    return OperatorLineage(
        inputs=[
            InputDataset(
                namespace=dataset.namespace,
                name=dataset.name,
                facets=_facets(dataset),
                inputFacets=_input_facets(dataset),
            )
            for dataset in lineage.inputs
        ],
        outputs=[
            OutputDataset(
                namespace=dataset.namespace,
                name=dataset.name,
                facets=_facets(dataset),
                outputFacets=_output_facets(dataset),
            )
            for dataset in lineage.outputs
        ],
    )


def _facets(dataset: "LineageDataset") -> dict[str, DatasetFacet]:
    facets: dict[str, DatasetFacet] = {
        "version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=dataset.version),
        "storage": storage_dataset.StorageDatasetFacet(
            storageLayer=dataset.storage, fileFormat=_FILE_FORMATS[dataset.storage]
        ),
        "mlops": MlopsDatasetFacet(details=dict(dataset.details)),
    }
    if dataset.fields:
        facets["schema"] = schema_dataset.SchemaDatasetFacet(
            fields=[
                schema_dataset.SchemaDatasetFacetFields(name=name, type=kind)
                for name, kind in dataset.fields.items()
            ]
        )
    return facets


def _input_facets(dataset: "LineageDataset") -> dict[str, InputDatasetFacet]:
    if dataset.rows is None:
        return {}
    return {
        "inputStatistics": input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
            rowCount=dataset.rows
        )
    }


def _output_facets(dataset: "LineageDataset") -> dict[str, OutputDatasetFacet]:
    if dataset.rows is None:
        return {}
    return {
        "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=dataset.rows
        )
    }
