"""What becomes of a version later: taken over by hand, built again, taken out of use."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow_mlops.dag_ids import Stage, dag_id_of
from airflow_mlops.links import ReproductionLink
from airflow_mlops.operators.step import StepOperator, actor, effect_key
from mlops_core.errors import DeclarationError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_core.registry.records import Retirement, Transition
    from mlops_core.reproduction.report import ReproductionReport

_READING_STAGES: tuple[Stage, ...] = ("score", "monitor")


class AdoptOperator(StepOperator):
    """Put a version into production that a person has chosen past the gates; XCom: ``Transition``.

    It must be registered and signed, its files are verified, and the ledger keeps who and why.

    Parameters
    ----------
    model
        Name of the model; templated.
    reason
        Why, for the ledger; templated.
    version
        Which; templated. The one that MLflow's alias ``champion`` names if empty.
    """

    template_fields: Sequence[str] = ("model", "reason", "version")

    def __init__(self, *, model: str, reason: str, version: int | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.reason = reason
        self.version = version

    def step(self, context: "Context") -> "Transition":
        """Write the transition, then mirror it."""
        from mlops_core.registry.adoption import adopt_manual_change

        return adopt_manual_change(
            self.model,
            version=int(self.version) if self.version else None,
            ledger=self.ledger,
            client=self.mlflow_client,
            reason=self.reason,
            actor=actor(context),
            operation_key=effect_key(context),
        )


class ReproduceOperator(StepOperator):
    """Build a version again from its record, in a clean process, and compare; XCom: ``ReproductionReport``.

    The task fails where the second model differs from the first.

    Parameters
    ----------
    model, version
        Which; templated.
    environment
        ``recorded`` builds the recorded packages anew where they differ from those that are installed,
        ``current`` takes what is installed; templated.
    """

    template_fields: Sequence[str] = ("model", "version", "environment")
    operator_extra_links = (ReproductionLink(),)

    def __init__(
        self, *, model: str, version: int | str, environment: str = "recorded", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.version = version
        self.environment = environment

    def step(self, context: "Context") -> "ReproductionReport":
        """Fit again, compare, and keep the report."""
        from mlops_core.reproduction.reproduce import reproduce_and_report

        report = reproduce_and_report(
            self.model,
            int(self.version),
            ledger=self.ledger,
            tracking_uri=self.tracking_uri,
            data_uri=self.settings.data_uri,
            reports=self.reports,
            operation_key=effect_key(context),
            environment=self.environment,
        )
        self.show_report("reproduction", report.page)
        report.require_reproduced()
        self.log.info("version %d of %s was built again: %s", report.version, report.model, report.verdict)
        return report


class RetireOperator(StepOperator):
    """Take a version out of use for good, and archive its files and its card; XCom: ``Retirement``.

    Refused while anything depends on the version, or while the model is being scored or monitored.

    Parameters
    ----------
    model, version
        Which; templated.
    reason
        Why, for the ledger; templated.
    """

    template_fields: Sequence[str] = ("model", "version", "reason")

    def __init__(self, *, model: str, version: int | str, reason: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.version = version
        self.reason = reason

    def step(self, context: "Context") -> "Retirement":
        """Archive, then write the transition."""
        from mlops_core.pipeline import load_pipeline
        from mlops_core.retirement.retire import retire

        declared = self.ledger.pipeline(self.model)
        if declared is None:
            raise DeclarationError(
                f"the ledger has no declaration of {self.model!r}: no training of it was ever planned"
            )
        return retire(
            self.model,
            int(self.version),
            pipeline=load_pipeline(declared.reference),
            ledger=self.ledger,
            tracking_uri=self.tracking_uri,
            reports=self.reports,
            archive_path=self.settings.archive_path,
            actor=actor(context),
            reason=self.reason,
            operation_key=effect_key(context),
            in_use=tuple(_running(context, model=self.model)),
        )


def _running(context: "Context", *, model: str) -> Iterator[str]:
    """Say which runs may be reading any version of the model just now."""
    for stage in _READING_STAGES:
        dag_id = dag_id_of(model, stage)
        if runs := context["ti"].get_dr_count(dag_id=dag_id, states=["queued", "running"]):
            yield f"runs of {dag_id} under way: {runs}; let them end first"
