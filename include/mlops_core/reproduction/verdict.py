"""From two fits of one job to a verdict, and to words for what differs."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlops_core.data.snapshots import SnapshotStore
from mlops_core.evaluation.holdout import read_holdout
from mlops_core.evaluation.wording import number
from mlops_core.pipeline import load_pipeline
from mlops_core.registry.records import VersionRecord
from mlops_core.reproduction.comparison import (
    StoredModel,
    differing_files,
    differing_values,
    prediction_difference,
)
from mlops_core.reproduction.packages import package_differences
from mlops_core.reproduction.recorded import FitRecord
from mlops_core.reproduction.report import (
    EnvironmentChoice,
    PredictionDifference,
    ReproductionReport,
    Verdict,
)
from mlops_core.reproduction.workplace import environment_differences


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """One of the two: what was recorded of the fit, the stored model, and the estimator's own settings."""

    fit: FitRecord
    stored: StoredModel
    parameters: Mapping[str, str]


def judge(
    version: VersionRecord,
    recorded: Fitted,
    rebuilt: Fitted,
    *,
    environment: EnvironmentChoice,
    data_uri: str,
) -> ReproductionReport:
    """Compare a version with its second fit."""
    files = differing_files(recorded.stored, rebuilt.stored)
    predictions = _predictions(recorded, rebuilt, data_uri=data_uri) if files else ()
    report = ReproductionReport(
        model=version.model,
        version=version.version,
        verdict=_verdict(files, predictions),
        environment=environment,
        recorded_run_id=version.run_id,
        run_id=rebuilt.fit.result.run_id,
        rebuilt=rebuilt.fit.result.model,
        recorded_content=recorded.stored.content,
        rebuilt_content=rebuilt.stored.content,
        files=files,
        predictions=predictions,
        metrics=differing_values(_metrics(recorded.fit), _metrics(rebuilt.fit)),
        parameters=differing_values(recorded.parameters, rebuilt.parameters),
        packages=package_differences(recorded.fit.environment.packages, rebuilt.fit.environment.packages),
    )
    return report.model_copy(update={"differences": _in_words(report, recorded.fit, rebuilt.fit)})


def _verdict(files: tuple[str, ...], predictions: tuple[PredictionDifference, ...]) -> Verdict:
    if not files:
        return "identical"
    return "equal" if predictions and all(found.within_tolerance for found in predictions) else "different"


def _predictions(recorded: Fitted, rebuilt: Fitted, *, data_uri: str) -> tuple[PredictionDifference, ...]:
    job = recorded.fit.job
    held_out = read_holdout(
        load_pipeline(job.reference), snapshot=job.snapshot, split=job.split, store=SnapshotStore(data_uri)
    )
    first, second = recorded.stored.model, rebuilt.stored.model
    return (
        prediction_difference(first, second, rows=first.input_example, rows_of="input example"),
        prediction_difference(first, second, rows=held_out.features, rows_of="held-out rows"),
    )


def _metrics(fit: FitRecord) -> dict[str, float]:
    return {"rows": fit.result.rows, **fit.result.training_metrics}


def _in_words(report: ReproductionReport, recorded: FitRecord, rebuilt: FitRecord) -> tuple[str, ...]:
    """Say what differs between the models, and then what may be the cause."""
    effects = [f"{name} differs" for name in report.files]
    effects += [_prediction_words(found) for found in report.predictions]
    effects += [f"on the training rows, {found}" for found in report.metrics]
    effects += [f"the estimator's {found}" for found in report.parameters]
    causes = [f"package {found}" for found in report.packages]
    causes += [str(found) for found in environment_differences(recorded.environment, rebuilt.environment)]
    code = recorded.environment.code
    if code is None:
        causes.append("the version of the code was not recorded")
    elif code.modified:
        causes.append(f"the recorded code had changes beyond commit {code.commit} that were not committed")
    if effects and not causes:
        causes.append("nothing that was recorded explains it: the fit does not follow from its job alone")
    return (*effects, *causes)


def _prediction_words(found: PredictionDifference) -> str:
    where = (
        f"the {found.rows:,} rows of the example"
        if found.rows_of == "input example"
        else (f"{found.rows:,} held-out rows")
    )
    if found.largest is None or found.mean is None:
        return (
            f"on {where} the scores cannot be compared: other classes, no rows, or values that are no number"
        )
    labels = f"; {found.changed_labels:,} labels change" if found.changed_labels else ""
    largest, mean = number(found.largest), number(found.mean)
    return f"on {where} the scores differ by up to {largest}, {mean} on average{labels}"
