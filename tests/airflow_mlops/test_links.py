"""Links lead to what the operator noted while it ran."""

from typing import Any
from unittest.mock import create_autospec

import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.types import TaskInstanceKey

from airflow_mlops.plugin import MlopsPlugin

KEY: Any = create_autospec(TaskInstanceKey, instance=True)
LINKS: list[Any] = MlopsPlugin.operator_extra_links
each_link = pytest.mark.parametrize("link", LINKS, ids=lambda link: type(link).__name__)


@each_link
def test_a_link_leads_to_the_evidence_of_its_kind_and_of_no_other(link: Any) -> None:
    elsewhere = {"": "/elsewhere", **{other.kind: "/elsewhere" for other in LINKS if other is not link}}
    operator: Any = BaseOperator(task_id="any")
    operator.evidence = {link.kind: "/there", **elsewhere}

    assert link.get_link(operator, ti_key=KEY) == "/there"


@each_link
def test_a_link_is_empty_where_the_task_made_nothing(link: Any) -> None:
    assert link.get_link(BaseOperator(task_id="any"), ti_key=KEY) == ""
