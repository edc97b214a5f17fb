import subprocess
import sys
from pathlib import Path

import pytest

from mlops_core.errors import DeclarationError
from mlops_core.references import check_reference, resolve


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package ``toy_package`` on the path, with a module that must never be imported."""
    folder = tmp_path / "toy_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "toy_package"]:
        del sys.modules[name]


def module(package: Path, text: str, *, name: str = "data") -> None:
    (package / f"{name}.py").write_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "def load(partition): ...",
        "async def load(partition): ...",
        "class load: ...",
        "from somewhere import load",
        "from somewhere import other as load",
        "load = functools.partial(print, 1)",
        "load: Callable = lambda partition: None",
        "first, load = make()",
        "if True:\n    def load(partition): ...",
        "if True: ...\nelse:\n    def load(partition): ...",
        "try:\n    import quick\nexcept ImportError:\n    def load(partition): ...",
        "with quiet():\n    def load(partition): ...",
        "from somewhere import *",
    ],
)
def test_a_function_is_found_however_the_module_defines_it(package: Path, text: str) -> None:
    module(package, text)

    assert check_reference("toy_package.data:load") == "toy_package.data:load"


def test_checking_does_not_run_the_module(package: Path) -> None:
    module(package, "def load(partition): ...\nraise RuntimeError('it was imported')")

    check_reference("toy_package.data:load")

    assert "toy_package.data" not in sys.modules


def test_checking_a_reference_imports_nothing_heavy() -> None:
    code = (
        "import sys; from mlops_core.references import check_reference;"
        "check_reference('toy_models:fit_trees');"
        "print(sorted({'numpy', 'pandas', 'sklearn', 'toy_models'} & set(sys.modules)))"
    )
    tests = Path(__file__).parents[1]

    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tests
    )

    assert answer.stdout.strip() == "[]"


def test_a_function_that_does_not_exist_is_refused_with_the_nearest_one(package: Path) -> None:
    module(package, "LIMIT = 3\ndef load(partition): ...\ndef _hidden(): ...")

    with pytest.raises(
        ValueError,
        match=r"'toy_package\.data' defines no function 'laod', did you mean 'load'; it defines: load$",
    ):
        check_reference("toy_package.data:laod")


@pytest.mark.parametrize("value", ["3", "'text'", "[1]", "{}", "None", "f'{1}'", "(1, 2)"])
def test_a_name_bound_to_a_plain_value_is_no_function(package: Path, value: str) -> None:
    module(package, f"load = {value}")

    with pytest.raises(ValueError, match="defines no function 'load'"):
        check_reference("toy_package.data:load")


def test_a_name_inside_a_function_is_not_found(package: Path) -> None:
    module(package, "def outer():\n    def load(partition): ...")

    with pytest.raises(ValueError, match="defines no function 'load'; it defines: outer"):
        check_reference("toy_package.data:load")


def test_a_module_that_was_edited_is_read_again(package: Path) -> None:
    module(package, "def load(partition): ...")
    check_reference("toy_package.data:load")

    module(package, "def load(partition): ...\ndef labels(partition): ...")

    check_reference("toy_package.data:labels")


@pytest.mark.parametrize(
    "reference",
    [
        "toy_package.data.load",
        "toy_package.data:",
        ":load",
        "toy_package/data:load",
        "../toy_package:load",
        "toy_package.data:load()",
        "toy_package.data:load:again",
        "toy_package..data:load",
        "toy package:load",
        "",
    ],
)
def test_what_is_no_reference_is_refused_with_the_form_it_should_have(reference: str) -> None:
    with pytest.raises(ValueError, match=r"is no function reference; write 'package.module:function'"):
        check_reference(reference)
    with pytest.raises(DeclarationError, match="is no function reference"):
        resolve(reference)


@pytest.mark.parametrize("name", ["toy_package.dta", "toy_pakage", "toy_pakage.data"])
def test_a_module_that_does_not_exist_is_refused(package: Path, name: str) -> None:
    module(package, "def load(partition): ...")

    with pytest.raises(ValueError, match=rf"module .*'{name}'.*is its folder on PYTHONPATH\?"):
        check_reference(f"{name}:load")


def test_a_package_that_breaks_when_it_is_imported_is_refused_with_its_error(package: Path) -> None:
    (package / "__init__.py").write_text("raise RuntimeError('no licence')")
    module(package, "def load(partition): ...")

    with pytest.raises(ValueError, match=r"cannot find module 'toy_package.data': no licence"):
        check_reference("toy_package.data:load")


def test_a_module_that_is_no_valid_python_is_refused_with_the_line(package: Path) -> None:
    module(package, "def load(partition)\n    ...")

    with pytest.raises(ValueError, match=r"data\.py is no valid Python: expected ':'"):
        check_reference("toy_package.data:load")


def test_a_module_without_python_source_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"module 'math' has no Python source; name a function of a .py file"
    ):
        check_reference("math:sqrt")


def test_a_folder_without_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy_folder").mkdir()
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ValueError, match="module 'toy_folder' has no Python source"):
        check_reference("toy_folder:load")


def test_the_running_script_cannot_be_referred_to() -> None:
    with pytest.raises(ValueError, match="'__main__' is another module in every process"):
        check_reference("__main__:load")


def test_a_reference_resolves_to_what_it_names(package: Path) -> None:
    module(package, "def load(partition): return partition * 2")

    assert resolve("toy_package.data:load")("ab") == "abab"


def test_resolving_a_name_that_does_not_exist_says_so(package: Path) -> None:
    module(package, "")

    with pytest.raises(DeclarationError, match=r"module 'toy_package.data' has no 'load'"):
        resolve("toy_package.data:load")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("None.shape", "AttributeError: 'NoneType' object has no attribute 'shape'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_resolving_a_module_that_breaks_says_how_and_keeps_the_cause(
    package: Path, text: str, words: str
) -> None:
    module(package, text)

    with pytest.raises(
        DeclarationError, match=f"cannot import 'toy_package.data' for .*: {words}"
    ) as refusal:
        resolve("toy_package.data:load")

    assert refusal.value.__cause__ is not None
