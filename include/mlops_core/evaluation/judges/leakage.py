"""Signs that the target or the held-out rows were seen in training, against their bounds."""

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.judges.evidence import Answer, Evidence
from mlops_core.evaluation.judges.examined import examined, finite
from mlops_core.evaluation.sections import FeaturePower, LeakageSection
from mlops_core.evaluation.wording import number_beside
from mlops_core.gates import LeakageGate


def words(gate: LeakageGate) -> str:
    """Say what the gate asks for."""
    return (
        f"no feature's power above {gate.maximum_power:g},"
        f" at most {gate.maximum_overlap:.2%} of held-out rows in training"
    )


def subject(gate: LeakageGate) -> str:  # noqa: ARG001  every gate of this kind judges the same
    """Name what is judged."""
    return "leakage"


def judge(gate: LeakageGate, evidence: Evidence) -> Answer:
    """Compare the strongest feature's power and the overlap with their bounds."""
    section = examined(evidence.sections.leakage, part="leakage", evidence=evidence)
    strongest, overlap = _strongest(section), _overlap(section)
    leaks, overlaps = strongest.power > gate.maximum_power, overlap > gate.maximum_overlap
    by_overlap = overlaps and not leaks
    return Answer(
        passed=not leaks and not overlaps,
        value=overlap if by_overlap else strongest.power,
        bound=gate.maximum_overlap if by_overlap else gate.maximum_power,
        reason=(
            f"{strongest.feature} alone explains the target with a power of"
            f" {number_beside(strongest.power, gate.maximum_power)},"
            f" {'above' if leaks else 'within'} the maximum {gate.maximum_power:g};"
            f" {section.overlapping_rows:,} of {section.holdout_rows:,} held-out rows are in training,"
            f" {'above' if overlaps else 'within'} the maximum share {gate.maximum_overlap:g}"
        ),
        evidence=f"sections/leakage/{'overlap' if by_overlap else f'powers/{strongest.feature}'}",
    )


def _strongest(section: LeakageSection) -> FeaturePower:
    if not section.rows > 0 or not section.powers:
        raise EvaluationError("no feature was tried on a training row; a gate needs at least one")
    for one in section.powers:
        finite(one.power, what=f"the power of {one.feature}", least=0, most=1)
    return max(section.powers, key=lambda one: one.power)


def _overlap(section: LeakageSection) -> float:
    if not section.holdout_rows > 0:
        raise EvaluationError("no held-out row was looked for in training; a gate needs at least one")
    overlap = finite(section.overlap, what="the overlap", least=0, most=1)
    # Two records of one number: a report that contradicts itself is trusted in neither.
    if section.overlapping_rows != round(overlap * section.holdout_rows):
        raise EvaluationError(
            f"the overlap {overlap:g} is not {section.overlapping_rows} of {section.holdout_rows} rows;"
            " evaluate again"
        )
    return overlap
