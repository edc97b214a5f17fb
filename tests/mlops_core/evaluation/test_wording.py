import pytest

from mlops_core.evaluation.wording import limits, number, number_beside, percent


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (0.75861, "0.7586"),
        (0.6, "0.6000"),
        (1.0, "1"),
        (36.0437, "36.04"),
        (123456.4, "123,456"),
        (-0.25, "-0.2500"),
        (0.000024781, "2.5e-05"),
    ],
)
def test_a_number_is_rounded_for_reading(value: float, words: str) -> None:
    assert number(value) == words


def test_a_change_shows_its_sign() -> None:
    assert (number(0.25, sign="+"), number(-0.25, sign="+")) == ("+0.2500", "-0.2500")


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.69999, "0.69999"), (0.70001, "0.70001"), (0.7, "0.7000"), (70_000.0, "70,000"), (0.65, "0.6500")],
)
def test_a_number_never_looks_equal_to_a_bound_that_it_differs_from(value: float, words: str) -> None:
    assert number_beside(value, 0.7) == words


def test_limits_are_written_in_order() -> None:
    assert limits(-0.01, 0.02, sign="+") == "-0.0100 to +0.0200"


@pytest.mark.parametrize(
    ("confidence", "words"),
    [(0.95, "95 %"), (0.975, "97.5 %"), (1 - 0.05 / 3, "98.3 %"), (1 - 0.05 / 32, "99.84 %"), (0.9, "90 %")],
)
def test_a_confidence_is_written_with_two_digits_of_its_doubt(confidence: float, words: str) -> None:
    assert percent(confidence) == words
