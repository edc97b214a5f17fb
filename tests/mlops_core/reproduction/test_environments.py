"""Recorded packages are installed into a fresh environment, once; nothing but a pinned name reaches pip."""

import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest

from mlops_core.errors import NotReproducibleError
from mlops_core.reproduction import environments
from mlops_core.reproduction.environments import environment_python


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two versions of one small package, which is all that pip may look at."""
    folder = tmp_path / "index"
    folder.mkdir()
    for version in ("1.0", "2.0"):
        wheel(folder, version)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def wheel(folder: Path, version: str) -> None:
    information = f"tiny_model_tool-{version}.dist-info"
    with ZipFile(folder / f"tiny_model_tool-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr("tiny_model_tool.py", f"VERSION = {version!r}\n")
        archive.writestr(
            f"{information}/METADATA",
            # What it asks for is left out: the record names everything that was there.
            f"Metadata-Version: 2.1\nName: tiny-model-tool\nVersion: {version}\nRequires-Dist: no-such\n",
        )
        archive.writestr(
            f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{information}/RECORD", "")


@pytest.mark.integration
@pytest.mark.usefixtures("index")
def test_the_environment_has_the_recorded_version_and_nothing_of_this_one(tmp_path: Path) -> None:
    python = environment_python({"tiny-model-tool": "1.0"}, cache=tmp_path / "cache")

    code = (
        "import tiny_model_tool, importlib.util as u\n"
        "print(tiny_model_tool.VERSION, u.find_spec('sklearn'), u.find_spec('mlops_core'))"
    )
    said = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["1.0", "None", "None"]


@pytest.mark.integration
@pytest.mark.usefixtures("index")
def test_it_is_built_once_and_again_where_it_was_left_half_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages, cache = {"tiny-model-tool": "2.0"}, tmp_path / "cache"
    python = environment_python(packages, cache=cache)
    monkeypatch.setattr(environments, "_build", lambda *_: pytest.fail("it was there"))
    assert environment_python(packages, cache=cache) == python
    monkeypatch.undo()
    folder = python.parents[1]
    (folder / "complete").unlink()
    (folder / "left-over").touch()
    monkeypatch.setattr(environments, "_build", lambda folder, _pins: folder.mkdir())

    assert environment_python(packages, cache=cache) == python

    assert not (folder / "left-over").exists()
    assert (folder / "complete").exists()


@pytest.mark.integration
@pytest.mark.usefixtures("index")
def test_a_version_that_no_index_has_is_said_with_the_words_of_pip(tmp_path: Path) -> None:
    with pytest.raises(NotReproducibleError, match=r"cannot be built.*(?s:.)*tiny-model-tool==3\.0"):
        environment_python({"tiny-model-tool": "3.0"}, cache=tmp_path / "cache")


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("tool", "1.0 --index-url=elsewhere"),
        ("tool", "1.0\nother==2.0"),
        ("tool", "@ file:///tmp/tool.whl"),
        ("tool", ""),
        ("--requirement", "1.0"),
        ("tool[extra]", "1.0"),
        ("../tool", "1.0"),
        ("", "1.0"),
    ],
)
def test_what_is_no_package_with_a_version_never_reaches_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, version: str
) -> None:
    monkeypatch.setattr(environments, "_build", lambda *_: pytest.fail("pip was asked"))

    with pytest.raises(NotReproducibleError, match="which is no package with a version"):
        environment_python({name: version}, cache=tmp_path)


def test_builds_for_other_processors_keep_their_suffix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins = []
    monkeypatch.setattr(environments, "_build", lambda folder, text: (folder.mkdir(), pins.append(text)))

    environment_python({"torch": "2.13.0+cpu", "numpy": "2.4.6"}, cache=tmp_path)

    assert pins == ["numpy==2.4.6\ntorch==2.13.0+cpu\n"]
