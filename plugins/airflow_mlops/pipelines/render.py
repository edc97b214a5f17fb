"""All DAGs of one declared pipeline."""

from airflow.sdk import DAG

from airflow_mlops.pipelines.ingest import ingest_dag
from airflow_mlops.pipelines.monitoring import monitoring_dag
from airflow_mlops.pipelines.scoring import scoring_dag
from airflow_mlops.pipelines.training import training_dag
from mlops_core.pipeline import load_pipeline


def pipeline_dags(reference: str) -> tuple[DAG, ...]:
    """Render the ingest, training, scoring and monitoring DAGs of one pipeline.

    One call in a DAG file is enough: Airflow registers the DAGs by themselves.

    Parameters
    ----------
    reference
        The declaration as ``"package.module:NAME"``.

    Raises
    ------
    DeclarationError
        If the pipeline is declared wrongly; Airflow shows it as the file's import error.
    """
    pipeline = load_pipeline(reference)
    return (
        ingest_dag(pipeline, reference=reference),
        training_dag(pipeline, reference=reference),
        scoring_dag(pipeline, reference=reference),
        monitoring_dag(pipeline, reference=reference),
    )
