"""Functions named as ``"package.module:function"``, so that declaring a pipeline imports nothing heavy."""

import ast
import difflib
import functools
import importlib
import importlib.util
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeGuard

from pydantic import AfterValidator, BeforeValidator

from mlops_core.errors import DeclarationError

_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_PLAIN_VALUES = (ast.Constant, ast.JoinedStr, ast.List, ast.Tuple, ast.Set, ast.Dict)


def resolve(reference: str) -> Any:
    """Import what a reference names.

    Raises
    ------
    DeclarationError
        If the module does not import or lacks the name.
    """
    module_name, name = _split(reference)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # importing runs the module, which may raise anything
        raise DeclarationError(
            f"cannot import {module_name!r} for {reference!r}: {type(error).__name__}: {error}"
        ) from error
    try:
        return getattr(module, name)
    except AttributeError as error:
        raise DeclarationError(f"module {module_name!r} has no {name!r}") from error


def check_reference(reference: str) -> str:
    """Return the reference if its module defines such a function, without running the module.

    The module's source is parsed and not imported: a DAG file that declares a pipeline must not pay for
    scikit-learn. Parent packages are imported, as Python's import system does to find a submodule.
    """
    try:
        module_name, name = _split(reference)
        names = _callables_of(_source_of(module_name))
    except DeclarationError as error:
        raise ValueError(str(error)) from error
    # What a star import brings is known only by running it, so the train job finds out.
    if name not in names and "*" not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f", did you mean {close[0]!r}" if close else ""
        defined = ", ".join(sorted(name for name in names if not name.startswith("_"))) or "none"
        raise ValueError(f"module {module_name!r} defines no function {name!r}{hint}; it defines: {defined}")
    return reference


def _require_text(reference: object) -> object:
    if not isinstance(reference, str):
        raise ValueError("name the function as 'package.module:function', so that declaring imports nothing")  # noqa: TRY004  pydantic gathers ValueErrors alone
    return reference


FunctionReference = Annotated[str, BeforeValidator(_require_text), AfterValidator(check_reference)]
"""A ``"package.module:function"`` whose existence is checked when it is declared."""


def _split(reference: str) -> tuple[str, str]:
    if not _REFERENCE.fullmatch(reference):
        raise DeclarationError(f"{reference!r} is no function reference; write 'package.module:function'")
    module_name, _, name = reference.partition(":")
    return module_name, name


def _source_of(module_name: str) -> Path:
    if module_name == "__main__":
        raise DeclarationError("'__main__' is another module in every process; put the function in a module")
    try:
        specification = importlib.util.find_spec(module_name)
    except Exception as error:  # finding a submodule imports its parents, which may raise anything
        raise DeclarationError(
            f"cannot find module {module_name!r}: {error}; is its folder on PYTHONPATH?"
        ) from error
    if specification is None:
        raise DeclarationError(f"no module named {module_name!r}; is its folder on PYTHONPATH?")
    source = Path(specification.origin or "")
    if source.suffix != ".py":
        raise DeclarationError(
            f"module {module_name!r} has no Python source; name a function of a .py file, which may call it"
        )
    return source


def _callables_of(source: Path) -> frozenset[str]:
    return _parse(source, source.stat().st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _parse(source: Path, changed_ns: int) -> frozenset[str]:  # noqa: ARG001  a changed file is parsed again
    try:
        tree = ast.parse(source.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise DeclarationError(f"{source} is no valid Python: {error}") from error
    return frozenset(_names_bound_by(tree.body))


def _names_bound_by(statements: Iterable[ast.stmt]) -> Iterator[str]:
    """Yield what may be called after the statements have run; a name bound to a plain value is left out."""
    for statement in statements:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (alias.asname or alias.name for alias in names)
            case ast.Assign(value=value) | ast.AnnAssign(value=value) if not isinstance(value, _PLAIN_VALUES):
                yield from (node.id for node in ast.walk(statement) if _is_bound(node))
            case ast.If() | ast.Try() | ast.With():
                branches = [
                    statement.body,
                    getattr(statement, "orelse", []),
                    getattr(statement, "finalbody", []),
                ]
                handlers = [handler.body for handler in getattr(statement, "handlers", [])]
                for branch in branches + handlers:
                    yield from _names_bound_by(branch)


def _is_bound(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
