"""A report says by itself whether a version was reproduced; whatever is not a yes is a refusal."""

import pytest

from mlops_core.errors import DeclarationError, RejectedError, ReproductionDiffersError
from mlops_core.models.record import ModelRecord
from mlops_core.reproduction.report import ReproductionReport, Verdict, environment_named


def report(verdict: Verdict) -> ReproductionReport:
    return ReproductionReport(
        model="toy",
        version=2,
        verdict=verdict,
        differences=("model.skops differs", "the seed was 0 and is 1"),
        environment="recorded",
        recorded_run_id="first",
        run_id="second",
        rebuilt=ModelRecord(run_id="second", model_id="m-2", uri="models:/m-2", digest="d"),
        recorded_content="a",
        rebuilt_content="b",
    )


@pytest.mark.parametrize("verdict", ["identical", "equal"])
def test_the_same_model_again_is_let_through(verdict: Verdict) -> None:
    report(verdict).require_reproduced()


def test_another_model_is_refused_with_what_differs() -> None:
    words = "version 2 of toy was built again and is different: model.skops differs; the seed was 0 and is 1"

    with pytest.raises(ReproductionDiffersError, match=words) as refused:
        report("different").require_reproduced()
    assert isinstance(refused.value, RejectedError)


def test_a_verdict_that_nobody_knows_is_no_success() -> None:
    strange = report("identical").model_copy(update={"verdict": "perhaps"})

    with pytest.raises(ReproductionDiffersError, match="is perhaps"):
        strange.require_reproduced()


@pytest.mark.parametrize("name", ["recorded", "current"])
def test_an_environment_is_found_by_its_name(name: str) -> None:
    assert environment_named(name) == name


@pytest.mark.parametrize("name", ["curent", "Recorded", "", "recorded "])
def test_another_name_of_an_environment_is_refused(name: str) -> None:
    with pytest.raises(DeclarationError, match=f"the environment is '{name}'; give recorded or current"):
        environment_named(name)
