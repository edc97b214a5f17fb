"""The pipelines of the orchestration benchmark: one model of flights, a name a repetition.

``short`` fits in seconds, ``long`` in a minute or more. Each repetition has a name of its own, so that none
adopts what another did.
"""

from mlops_core.pipeline import AbsoluteGate, Candidate, ChampionGate, Pipeline

LEAF_NODES = {"short": 31, "long": 31}
ITERATIONS = {"short": 100, "long": 1500}
REPETITIONS = {"short": 3, "long": 1}
SIDES = ("scheduler", "bare")


def declare(size: str, side: str, repetition: int) -> Pipeline:
    """Declare the pipeline of one repetition on one side."""
    return Pipeline(
        name=f"{size}_{side}_{repetition}",
        task="binary_classification",
        loader="flight_delay.data:load_flights",
        target="arrived_late",
        key="flight_id",
        expectations="flight_delay.data:expectations",
        candidates=(
            Candidate(
                name="gradient_boosting",
                fit="flight_delay.models:fit_gradient_boosting",
                parameters={"iterations": ITERATIONS[size]},
            ),
        ),
        gates=(AbsoluteGate(metric="roc_auc", minimum=0.5), ChampionGate(metric="roc_auc", margin=0.01)),
    )


for _size, _repetitions in REPETITIONS.items():
    for _side in SIDES:
        for _repetition in range(_repetitions):
            _pipeline = declare(_size, _side, _repetition)
            globals()[_pipeline.name.upper()] = _pipeline
