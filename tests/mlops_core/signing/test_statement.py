"""What is signed is every field that says which model is loaded, in one spelling."""

import subprocess
import sys

import pytest

from mlops_core.signing import Statement, statement_of
from registry_examples import version_record


def test_a_statement_is_canonical_json_behind_its_purpose() -> None:
    assert statement_of(version_record(3)) == (
        b"airflow-mlops model version v1\n"
        b'{"digest":"digest-3","evidence_digest":"evidence-3","model":"flight_delay","run_id":"run-3",'
        b'"uri":"models:/m-3","version":3}'
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", "other"),
        ("version", 4),
        ("digest", "other"),
        ("uri", "models:/m-4"),
        ("run_id", "run-4"),
        ("evidence_digest", "other"),
        ("evidence_digest", None),
    ],
)
def test_every_field_of_a_version_is_part_of_it(field: str, value: object) -> None:
    assert statement_of(version_record(3, **{field: value})) != statement_of(version_record(3))


def test_every_field_of_the_statement_is_tried_above() -> None:
    assert set(Statement.model_fields) == {"model", "version", "digest", "uri", "run_id", "evidence_digest"}


def test_text_cannot_move_from_one_field_into_another() -> None:
    first = version_record(3, uri='models:/m-3","version":4', run_id="r")
    second = version_record(4, uri="models:/m-3", run_id="r")

    assert statement_of(first) != statement_of(second)


def test_the_ledgers_documents_do_not_import_cryptography() -> None:
    code = "import sys, mlops_core.registry.records; sys.exit('cryptography' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
