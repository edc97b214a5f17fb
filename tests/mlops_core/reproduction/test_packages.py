"""Of all recorded packages, those count that a fit may use and that somebody here knows."""

import pytest

from mlops_core.reproduction.packages import (
    installed_packages,
    needed_packages,
    package_differences,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["numpy", "scikit-learn", "scipy", "mlflow", "torch", "pip"])
def test_what_a_fit_computes_with_is_needed(name: str) -> None:
    assert name in needed_packages({**installed_packages(), name: "1.0"})


@pytest.mark.parametrize(
    "name",
    [
        "apache-airflow",
        "apache-airflow-core",
        "apache-airflow-providers-openlineage",
        "pytest",
        "ruff",
        "airflow-mlops",
    ],
)
def test_what_orchestrates_or_tests_is_not(name: str) -> None:
    assert name not in needed_packages({**installed_packages(), name: "1.0"})


def test_a_name_that_nobody_has_installed_here_is_never_asked_of_an_index() -> None:
    assert needed_packages({"numpy": "2.4.6", "no-such-package-of-anybody": "6.6"}) == {"numpy": "2.4.6"}


def test_one_package_has_one_name_however_it_is_written() -> None:
    assert needed_packages({"Scikit_Learn": "1.9.1"}) == {"scikit-learn": "1.9.1"}


def test_versions_that_differ_are_told_and_so_is_what_came_or_went() -> None:
    recorded = {"numpy": "2.4.5", "scipy": "1.17", "pytest": "1.0"}
    rebuilt = {"numpy": "2.4.6", "pandas": "3.0.6", "pytest": "9.0"}

    assert [str(found) for found in package_differences(recorded, rebuilt)] == [
        "numpy was 2.4.5 and is 2.4.6",
        "pandas was absent and is 3.0.6",
        "scipy was 1.17 and is absent",
    ]


def test_the_same_packages_do_not_differ() -> None:
    assert package_differences(installed_packages(), installed_packages()) == ()
