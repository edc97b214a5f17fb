"""Which types and packages a stored model may be built from, and who says so.

A model's own files name both, for MLflow and for later. Whoever can write the files can name what they like
there, so the lists are believed only of files whose signature was verified. Before that, the pipeline's
declaration decides: it is code of whoever loads.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, Self

from pydantic import ValidationError

from mlops_core.document import Document
from mlops_core.errors import UntrustedModelError
from mlops_core.pipeline import Pipeline

AS_THE_FILES_SAY: Final = "as the files say"
"""Believes the lists in a model's own files: only for a version whose signature was verified."""


class TrustedCode(Document):
    """What a stored model may name beyond ``TRUSTED_TYPES`` and this library's own classes.

    ``trusted_types`` are written ``package.module.Class``; ``packages`` are those whose classes a torch
    module may be of.
    """

    trusted_types: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()

    @classmethod
    def declared_by(cls, pipeline: Pipeline) -> Self:
        """Return a declaration's types, and the packages of its functions."""
        references = [pipeline.loader, pipeline.labels, pipeline.expectations]
        references += [candidate.fit for candidate in pipeline.candidates]
        packages = frozenset(root_package(reference) for reference in references if reference)
        return cls(trusted_types=pipeline.trusted_types, packages=packages)

    @classmethod
    def named_in(cls, details: Mapping[str, Any]) -> Self:
        """Return the lists that a model's own description holds; they prove nothing by themselves.

        Raises
        ------
        UntrustedModelError
            If they are no lists of names.
        """
        try:
            return cls.model_validate({name: details.get(name, ()) for name in cls.model_fields})
        except ValidationError as error:
            raise UntrustedModelError(
                f"the stored model's trusted_types or packages are no lists of names: {str(error)[:200]}"
            ) from error

    def also(self, other: "TrustedCode") -> "TrustedCode":
        """Return what either of the two trusts."""
        return TrustedCode(
            trusted_types=self.trusted_types | other.trusted_types, packages=self.packages | other.packages
        )

    def require_no_more(self, named: "TrustedCode") -> None:
        """Require that a model's own lists name nothing beyond this one's.

        Raises
        ------
        UntrustedModelError
            If they do. What is signed later may then be loaded by its own lists.
        """
        if types := sorted(named.trusted_types - self.trusted_types):
            raise UntrustedModelError(
                f"the stored model asks to trust the types {', '.join(types)}, which its pipeline does not "
                "declare; declare them in the pipeline's trusted_types if they are yours"
            )
        if packages := sorted(named.packages - self.packages):
            raise UntrustedModelError(
                f"the stored model asks to trust the packages {', '.join(packages)}, which hold none of its "
                "pipeline's functions; declare the class alone in the pipeline's trusted_types if it is yours"
            )


Trust = TrustedCode | Literal["as the files say"]
"""What whoever loads a model must say: what it may be built from, or that its files are believed."""


def root_package(reference: str) -> str:
    """Return the top package of ``"package.module:name"``."""
    return reference.partition(":")[0].partition(".")[0]
