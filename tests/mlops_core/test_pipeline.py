"""Declarations: the smallest that will do, and what each mistake is answered."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mlops_core.errors import DeclarationError
from mlops_core.evaluation.catalogue import Task
from mlops_core.pipeline import (
    AbsoluteGate,
    Candidate,
    ChampionGate,
    EvaluationPolicy,
    HoldoutSplit,
    MonitorPolicy,
    Pipeline,
    load_pipeline,
)

TREES = {"name": "trees", "fit": "toy_models:fit_trees"}
AUC = {"kind": "absolute", "metric": "roc_auc", "minimum": 0.7}
SMALLEST: dict[str, Any] = {
    "name": "toy",
    "task": "binary_classification",
    "loader": "toy_models:load",
    "target": "positive",
    "candidates": [TREES],
    "gates": [AUC],
}


def refusal(**changes: Any) -> str:
    """Declare with changes and return the answer; a field changed to ``...`` is left out."""
    fields = {name: value for name, value in {**SMALLEST, **changes}.items() if value is not ...}
    with pytest.raises(DeclarationError) as refused:
        Pipeline(**fields)
    return str(refused.value)


def test_a_name_a_task_a_loader_a_target_a_candidate_and_a_gate_are_enough() -> None:
    pipeline = Pipeline(**SMALLEST)

    assert pipeline.task is Task.BINARY_CLASSIFICATION
    assert pipeline.split == HoldoutSplit(holdout_partitions=1)
    assert pipeline.evaluation == EvaluationPolicy(resamples=500, confidence=0.95)
    assert pipeline.features is None


def test_the_first_gates_metric_is_the_primary_one() -> None:
    pipeline = Pipeline(**{**SMALLEST, "gates": [{"kind": "champion", "metric": "log_loss"}, AUC]})

    assert pipeline.primary_metric.name == "log_loss"


def test_a_declaration_may_be_written_with_objects_or_with_plain_values() -> None:
    objects = {
        "candidates": (Candidate(name="trees", fit="toy_models:fit_trees"),),
        "gates": (AbsoluteGate(metric="roc_auc", minimum=0.7),),
    }

    assert Pipeline(**{**SMALLEST, **objects}) == Pipeline(**SMALLEST)


def test_a_declaration_cannot_be_changed() -> None:
    pipeline = Pipeline(**SMALLEST)

    with pytest.raises(ValidationError, match="frozen"):
        pipeline.name = "other"  # type: ignore[misc]  # the point of the test


def test_a_declaration_survives_json() -> None:
    pipeline = Pipeline(**SMALLEST)

    assert Pipeline(**json.loads(pipeline.model_dump_json())) == pipeline


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "a misspelt field": (
        {"loader": ..., "lodaer": "toy_models:load"},
        "lodaer: no such field, did you mean 'loader'; fields: approval, candidates, card, description,",
    ),
    "the value of a misspelt field": ({"lodaer": "x"}, "(got 'x')"),
    "a missing field": ({"target": ...}, "target: it is missing and has no default"),
    "a name that leaves the folder": (
        {"name": "../toy"},
        "name: use a lower-case letter, then up to 62 lower-case letters, digits and '_' (got '../toy')",
    ),
    "a name of capitals": ({"name": "Toy"}, "(got 'Toy')"),
    "an empty name": ({"name": ""}, "name: use a lower-case letter"),
    "a name with a line end": ({"name": "toy\n"}, "name: use a lower-case letter"),
    "a name too long": ({"name": "a" * 64}, "name: use a lower-case letter, then up to 62"),
    "an unknown task": (
        {"task": "clustering"},
        "task: it should be 'binary_classification', 'multiclass_classification' or 'regression'"
        " (got 'clustering')",
    ),
    "a function that does not exist": (
        {"loader": "toy_models:laod"},
        "loader: module 'toy_models' defines no function 'laod', did you mean 'load'; it defines: ",
    ),
    "a module that does not exist": (
        {"loader": "toy_model:load"},
        "loader: no module named 'toy_model'; is its folder on PYTHONPATH? (got 'toy_model:load')",
    ),
    "a reference without a colon": (
        {"labels": "toy_models.load", "key": "id"},
        "labels: 'toy_models.load' is no function reference; write 'package.module:function'",
    ),
    "a function itself": (
        {"loader": print},
        "loader: name the function as 'package.module:function'",
    ),
    "no candidates": ({"candidates": []}, "candidates: give at least 1 (got [])"),
    "candidates that are no list": ({"candidates": "trees"}, "candidates: give a list (got 'trees')"),
    "two candidates of one name": (
        {"candidates": [TREES, TREES]},
        "candidates.1.name: every candidate needs a name of its own (got 'trees' again)",
    ),
    "a misspelt field of a candidate": (
        {"candidates": [{"name": "trees", "fti": "toy_models:fit_trees"}]},
        "candidates.0.fti: no such field, did you mean 'fit'; fields: cross_validation, fit, name,",
    ),
    "a candidate without its function": (
        {"candidates": [{"name": "trees"}]},
        "candidates.0.fit: it is missing and has no default",
    ),
    "a candidate's name that leaves the folder": (
        {"candidates": [{**TREES, "name": "../trees"}]},
        "candidates.0.name: use a lower-case letter",
    ),
    "the second of two candidates": (
        {"candidates": [TREES, {"name": "line", "fit": "toy_models:fit_lines"}]},
        "candidates.1.fit: module 'toy_models' defines no function 'fit_lines'",
    ),
    "a parameter that the train job passes itself": (
        {"candidates": [{**TREES, "parameters": {"seed": 1}}]},
        "candidates.0.parameters.seed: the train job itself passes features, target and seed",
    ),
    "a parameter's name that is no identifier": (
        {"candidates": [{**TREES, "parameters": {"max depth": 1}}]},
        "candidates.0.parameters.max depth: use a lower-case letter",
    ),
    "a parameter that is NaN": (
        {"candidates": [{**TREES, "parameters": {"rate": math.nan}}]},
        "candidates.0.parameters.rate: it should be a finite number (got nan)",
    ),
    "no gates": ({"gates": []}, "gates: give at least 1 (got [])"),
    "an unknown metric": (
        {"gates": [{**AUC, "metric": "auc"}]},
        "gates.0.metric: unknown metric 'auc'; known metrics: accuracy, ",
    ),
    "a metric of another task": (
        {"gates": [{**AUC, "metric": "r2"}]},
        "gates.0.metric: 'r2' does not judge binary_classification; use accuracy, ",
    ),
    "candidates ranked by what depends on the number of rows": (
        {"gates": [{"kind": "absolute", "metric": "expected_calibration_error", "maximum": 0.1}]},
        "gates.0.metric: the metric of the first absolute or champion gate is watched on windows",
    ),
    "a bound outside the metric's range": (
        {"gates": [AUC, {**AUC, "minimum": 70}]},
        "gates.1.minimum: roc_auc lies in [0, 1] (got 70.0)",
    ),
    "a bound below the metric's range": (
        {"gates": [{"kind": "absolute", "metric": "log_loss", "maximum": -1}]},
        "gates.0.maximum: log_loss lies in [0, inf] (got -1.0)",
    ),
    "a bound that is NaN": (
        {"gates": [{**AUC, "minimum": math.nan}]},
        "gates.0.minimum: it should be a finite number (got nan)",
    ),
    "a bound that is infinite": (
        {"gates": [{"kind": "absolute", "metric": "log_loss", "maximum": math.inf}]},
        "gates.0.maximum: it should be a finite number (got inf)",
    ),
    "two bounds in one gate": (
        {"gates": [{**AUC, "maximum": 0.9}]},
        "gates.0: give one bound, either minimum or maximum (got {'kind': 'absolute', 'metric': 'roc_auc'",
    ),
    "no bound": (
        {"gates": [{"kind": "absolute", "metric": "roc_auc"}]},
        "gates.0: give one bound, either minimum or maximum",
    ),
    "a minimum for a loss": (
        {"gates": [{"kind": "absolute", "metric": "log_loss", "minimum": 0.5}]},
        "gates.0.minimum: log_loss is better when it is less, so the gate needs a maximum (got a minimum)",
    ),
    "a maximum for a score": (
        {"gates": [{"kind": "absolute", "metric": "roc_auc", "maximum": 0.9}]},
        "gates.0.maximum: roc_auc is better when it is more, so the gate needs a minimum",
    ),
    "a misspelt field of a gate": (
        {"gates": [{"kind": "absolute", "metric": "roc_auc", "min": 0.7}]},
        "gates.0.min: no such field, did you mean 'minimum'; fields: kind, maximum, metric, minimum (got",
    ),
    "a gate of an unknown kind": (
        {"gates": [{**AUC, "kind": "relative"}]},
        "gates.0: its 'kind' must be one of 'absolute', 'champion', 'slice', 'fairness', 'calibration', ",
    ),
    "a gate without its kind": (
        {"gates": [{"metric": "roc_auc", "minimum": 0.7}]},
        "gates.0: its 'kind' must be one of 'absolute', 'champion', 'slice', 'fairness', 'calibration', ",
    ),
    "a margin below zero": (
        {"gates": [{"kind": "champion", "metric": "roc_auc", "margin": -0.1}]},
        "gates.0.margin: it should be greater than or equal to 0 (got -0.1)",
    ),
    "the target among the features": (
        {"features": ["amount", "positive"]},
        "features: the target may not be a feature (got 'positive')",
    ),
    "the key among the features": (
        {"key": "id", "features": ["id", "amount"]},
        "features: the key names a row and may not be a feature (got 'id')",
    ),
    "a feature named twice": (
        {"features": ["amount", "amount"]},
        "features: name each column once (got 'amount' again)",
    ),
    "no features": ({"features": []}, "features: give at least 1 (got [])"),
    "the target as the key": (
        {"key": "positive"},
        "key: it names a row, so it cannot be the target (got 'positive')",
    ),
    "labels without a key": (
        {"labels": "toy_models:load"},
        "key: labels are joined to predictions by it; name the column that identifies a row",
    ),
    "a split without a held-out partition": (
        {"split": {"holdout_partitions": 0}},
        "split.holdout_partitions: it should be greater than or equal to 1 (got 0)",
    ),
    "a misspelt field of the split": (
        {"split": {"holdout_partition": 1}},
        "split.holdout_partition: no such field, did you mean 'holdout_partitions'; fields: holdout_",
    ),
    "a confidence in percent": (
        {"evaluation": {"confidence": 95}},
        "evaluation.confidence: it should be less than 1 (got 95)",
    ),
    "too few resamples": (
        {"evaluation": {"resamples": 10}},
        "evaluation.resamples: it should be greater than or equal to 100 (got 10)",
    ),
    "a schedule in words": (
        {"schedule": "every day"},
        "schedule: write a cron expression of five fields, such as '0 6 1 * *', or '@monthly'"
        " (got 'every day')",
    ),
    "a partition that would be a folder": (
        {"partition_format": "%Y/%m"},
        "partition_format: it makes the partition '2012/01'; use a letter or digit, then up to 63",
    ),
    "partitions that do not sort as time does": (
        {"partition_format": "%m-%Y"},
        "partition_format: its keys do not sort as time does, as '01-2012'; write the year first: '%Y-%m'",
    ),
    "a partition that is always the same": (
        {"partition_format": "month"},
        "partition_format: it makes every partition 'month'; write strftime codes, such as '%Y-%m'",
    ),
    "a seed below zero": ({"seed": -1}, "seed: it should be greater than or equal to 0 (got -1)"),
}


@pytest.mark.parametrize(("changes", "words"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_answered_with_the_field_the_value_and_what_is_allowed(
    changes: dict[str, Any], words: str
) -> None:
    assert words in refusal(**changes)


def test_the_answer_says_which_pipeline_is_meant() -> None:
    assert refusal(seed=-1).startswith("Pipeline 'toy' is declared wrongly:\n  seed: ")


def test_all_mistakes_are_answered_at_once_a_line_each() -> None:
    lines = refusal(name="../toy", task="clustering", lodaer="x").splitlines()

    assert [line.partition(":")[0].strip() for line in lines[1:]] == ["name", "task", "lodaer"]


def test_mistakes_across_fields_are_answered_at_once_too() -> None:
    answer = refusal(
        candidates=[TREES, TREES], gates=[{**AUC, "metric": "r2"}, {**AUC, "minimum": 7}], key="positive"
    )

    assert [line.partition(":")[0].strip() for line in answer.splitlines()[1:]] == [
        "candidates.1.name",
        "gates.0.metric",
        "gates.1.minimum",
        "key",
    ]


def test_a_refused_item_does_not_make_its_list_look_too_short() -> None:
    assert "give at least" not in refusal(gates=[{**AUC, "min": 1}])


def test_a_long_value_is_shortened() -> None:
    assert len(refusal(seed="9" * 10_000)) < 400


def test_a_part_alone_is_answered_in_the_same_words() -> None:
    with pytest.raises(DeclarationError, match="AbsoluteGate is declared wrongly:\n  min: no such field"):
        AbsoluteGate(metric="roc_auc", min=0.7)  # type: ignore[call-arg]  # the point of the test
    with pytest.raises(DeclarationError, match="Candidate 'trees' is declared wrongly:\n  fit: no module"):
        Candidate(name="trees", fit="toy_model:fit")
    with pytest.raises(DeclarationError, match="MonitorPolicy is declared wrongly:\n  false_alarm_rate: "):
        MonitorPolicy(false_alarm_rate=2)


def test_a_bound_against_leakage_may_stand_beside_the_bound_that_matters() -> None:
    too_good = {"kind": "absolute", "metric": "roc_auc", "maximum": 0.99}

    pipeline = Pipeline(**{**SMALLEST, "gates": [AUC, too_good]})

    assert pipeline.gates[1] == AbsoluteGate(metric="roc_auc", maximum=0.99)


def test_a_bound_against_leakage_may_stand_beside_a_champion_gate() -> None:
    gates = (ChampionGate(metric="roc_auc", margin=0.01), AbsoluteGate(metric="roc_auc", maximum=0.99))

    assert Pipeline(**{**SMALLEST, "gates": gates}).gates == gates


@pytest.mark.parametrize("schedule", ["0 6 1 * *", "*/5 * * * *", "@monthly"])
def test_a_schedule_is_a_cron_expression(schedule: str) -> None:
    assert Pipeline(**{**SMALLEST, "schedule": schedule}).schedule == schedule


@pytest.mark.parametrize("text", ["%Y-%m", "%Y-%m-%d", "%Y", "W%G-%V", "%Y-%m-%dT%H:%M"])
def test_a_partition_may_be_of_any_length_of_time(text: str) -> None:
    assert Pipeline(**{**SMALLEST, "partition_format": text}).partition_format == text


def test_a_candidate_is_found_by_its_name() -> None:
    assert Pipeline(**SMALLEST).candidate("trees").fit == "toy_models:fit_trees"


def test_a_candidate_that_is_not_declared_is_refused_with_those_that_are() -> None:
    with pytest.raises(DeclarationError, match="pipeline 'toy' has no candidate 'line'; it has: trees"):
        Pipeline(**SMALLEST).candidate("line")


def test_a_pipeline_is_loaded_by_its_reference() -> None:
    assert load_pipeline("toy_models:BINARY").name == "toy_binary"


def test_what_is_no_pipeline_is_not_loaded() -> None:
    with pytest.raises(DeclarationError, match="'toy_models:ROWS' is a int; it must be a Pipeline"):
        load_pipeline("toy_models:ROWS")


def test_a_wrong_declaration_is_answered_through_its_reference_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wrong_declaration.py").write_text(
        "from mlops_core.pipeline import AbsoluteGate\nPIPELINE = AbsoluteGate(metric='roc_auc')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(DeclarationError, match="give one bound, either minimum or maximum"):
        load_pipeline("wrong_declaration:PIPELINE")
