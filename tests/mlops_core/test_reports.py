from pathlib import Path

import pytest

from mlops_core.errors import DeclarationError
from mlops_core.reports import ReportStore, safe_key


@pytest.fixture
def reports(tmp_path: Path) -> ReportStore:
    return ReportStore(tmp_path / "reports")


def test_a_report_is_written_where_its_names_say_and_read_back(reports: ReportStore) -> None:
    relative = reports.write(
        pipeline="flight_delay", kind="validation", key="2013-01", name="report.html", content="<p>ä</p>"
    )

    assert relative == "flight_delay/validation/2013-01/report.html"
    assert reports.path(relative).read_text(encoding="utf-8") == "<p>ä</p>"


def test_writing_again_replaces_the_file_and_leaves_nothing_else_behind(reports: ReportStore) -> None:
    for content in ("first", b"second"):
        relative = reports.write(pipeline="p", kind="drift", key="k", name="report.html", content=content)

    target = reports.path(relative)
    assert target.read_bytes() == b"second"
    assert list(target.parent.iterdir()) == [target]


def test_any_key_becomes_one_safe_folder_and_keys_that_differ_stay_apart() -> None:
    keys = ["../../etc", "a/b", "a-b", "a:b", "", "..", "ü", "x" * 300, "x" * 301]

    folders = [safe_key(key) for key in keys]

    assert len(set(folders)) == len(keys)
    assert all("/" not in folder and not folder.startswith(".") and len(folder) < 128 for folder in folders)


def test_a_readable_key_is_kept_as_it_is() -> None:
    assert safe_key("2013-01_abc.2") == "2013-01_abc.2"


@pytest.mark.parametrize("field", ["pipeline", "kind", "name"])
@pytest.mark.parametrize("value", ["..", "a/b", "", "a\x00b"])
def test_a_name_that_is_no_single_folder_is_refused(reports: ReportStore, field: str, value: str) -> None:
    names = {"pipeline": "p", "kind": "drift", "name": "report.html", field: value}

    with pytest.raises(DeclarationError):
        reports.write(key="k", content="x", **names)


@pytest.mark.parametrize("relative", ["../x", "a/../../x", "/etc/passwd", "", ".", "a\x00b"])
def test_a_path_that_leads_out_of_the_folder_is_refused(reports: ReportStore, relative: str) -> None:
    with pytest.raises(DeclarationError):
        reports.path(relative)


def test_a_symbolic_link_out_of_the_folder_is_refused(reports: ReportStore, tmp_path: Path) -> None:
    reports.root.mkdir()
    (reports.root / "out").symlink_to(tmp_path)

    with pytest.raises(DeclarationError, match="leads out"):
        reports.path("out/secret")
