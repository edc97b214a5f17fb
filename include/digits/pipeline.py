"""The declaration of the model that reads handwritten digits."""

from digits.columns import KEY, PARTITIONS, PIXELS, TARGET
from mlops_core.pipeline import AbsoluteGate, Candidate, ChampionGate, Pipeline
from mlops_core.runners import Docker
from mlops_core.search import Float, Search

PIPELINE = Pipeline(
    name="digits",
    description="Which digit was written by hand on a scan of 8 by 8 pixels?",
    owner="document-processing",
    task="multiclass_classification",
    loader="digits.data:load_scans",
    expectations="digits.data:expectations",
    key=KEY,
    target=TARGET,
    features=PIXELS,
    sample_partitions=PARTITIONS[:2],
    candidates=(
        Candidate(
            name="convolutional_network",
            fit="digits.networks:fit_convolutional_network",
            runner=Docker(memory_mb=2048, cpus=2),
        ),
        Candidate(
            name="logistic_regression",
            fit="digits.models:fit_logistic_regression",
            search=Search(parameters={"c": Float(low=0.01, high=10.0, log=True)}, trials=6, folds=2),
            cross_validation=2,
        ),
    ),
    gates=(
        AbsoluteGate(metric="accuracy", minimum=0.85),
        ChampionGate(metric="accuracy", margin=0.03),
    ),
)
