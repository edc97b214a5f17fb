"""The metrics that gates and reports may name.

To add one, write one function of an ``Outcome`` and register it with ``@metric``: its name is the metric's.
Raise EvaluationError with the reason where it is undefined. A fast form for the bootstrap is optional.

Light: DAG files import this module, so numpy and scikit-learn are imported inside the functions.
"""

from mlops_core.evaluation.metrics import classes, probabilities, regression

__all__ = ["classes", "probabilities", "regression"]
