"""The model whose life the end-to-end tests follow: toy data, and deliveries that go wrong by their name."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

import toy_models
from mlops_core.pipeline import (
    AbsoluteGate,
    Candidate,
    ChampionGate,
    EvaluationPolicy,
    LeakageGate,
    LeakagePolicy,
    Pipeline,
    ServingPolicy,
    SkewGate,
)


def load(partition: str) -> pa.Table:
    """Load a partition of the toy data; a name such as ``half-1`` or ``empty-1`` gives what it says."""
    table = toy_models.load(partition)
    match partition.split("-", maxsplit=1)[0]:
        case "half":
            return table.slice(0, table.num_rows // 2)
        case "empty":
            return table.slice(0, 0)
        case "missing":
            return table.drop_columns(["amount"])
        case "retyped":
            position = table.schema.get_field_index("amount")
            return table.set_column(position, "amount", table["amount"].cast(pa.string()))
        case "renamed":
            return table.rename_columns({"amount": "sum"})
        case _:
            return table


def expectations() -> Sequence[Any]:
    """A partition has about 200 rows, and amounts lie within what can be."""
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectTableRowCountToBeBetween(min_value=150, max_value=250),
        gxe.ExpectColumnValuesToBeBetween(column="amount", min_value=-10, max_value=10),
        gxe.ExpectColumnValuesToBeUnique(column="id"),
    ]


def fit_with_a_mistake(features: Any, target: Any, *, seed: int) -> Any:
    """Fail as a typing error does."""
    return features.no_such_method(target, seed)


CANDIDATES = (
    Candidate(name="trees", fit="toy_models:fit_trees", parameters={"iterations": 30}),
    Candidate(name="line", fit="toy_models:fit_constant_line"),
)


GATES = (AbsoluteGate(metric="roc_auc", minimum=0.55), ChampionGate(metric="roc_auc", margin=0.08))


def declare(name: str, *, candidates: tuple[Candidate, ...] = CANDIDATES, **more: Any) -> Pipeline:
    """Declare the model under a name of its own, so that tests do not meet."""
    return Pipeline(
        name=name,
        task="binary_classification",
        loader="life_models:load",
        expectations="life_models:expectations",
        target="positive",
        key="id",
        features=("amount", "colour", "count", "member"),
        candidates=candidates,
        **{"gates": GATES, **more},
    )


LIFE = declare("life")
OUTAGE = declare("outage")
KILLED = declare("killed")
RACE = declare("race")
GUARDED = declare(
    "guarded",
    gates=(*GATES, LeakageGate(), SkewGate()),
    evaluation=EvaluationPolicy(leakage=LeakagePolicy(rows=200), serving=ServingPolicy(requests=20)),
    risk="medium",
)
"""A model whose versions a person must approve."""

MISTAKEN = declare("mistaken", candidates=(Candidate(name="mistake", fit="life_models:fit_with_a_mistake"),))
