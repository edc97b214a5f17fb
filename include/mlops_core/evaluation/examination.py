"""Examines the challenger in depth: each declared part by its own module, which is imported only then.

A part that cannot be examined is named with its reason, its gates refuse, and the other parts go on.
"""

import importlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from mlops_core.data.snapshots import SnapshotStore
from mlops_core.document import Document
from mlops_core.errors import ServiceUnavailableError
from mlops_core.evaluation.holdout import HeldOutRows
from mlops_core.evaluation.outcome import Outcome
from mlops_core.evaluation.sections import Part, Sections, UnexaminedPart
from mlops_core.models.loaded import LoadedModel
from mlops_core.models.record import ModelRecord
from mlops_core.pipeline import Pipeline
from mlops_core.training.job import TrainingPlan

_LONGEST_REASON = 1000

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ExaminedModel:
    """One model, loaded, and its outcome on the held-out rows."""

    record: ModelRecord
    model: LoadedModel
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What every part may look at.

    Parameters
    ----------
    champion
        None at the cold start, and where the champion could not score the rows.
    rows
        ``rows.features`` has every published column but the target: slices and sensitive attributes need not
        be features of the model.
    """

    pipeline: Pipeline
    plan: TrainingPlan
    rows: HeldOutRows
    challenger: ExaminedModel
    champion: ExaminedModel | None
    store: SnapshotStore
    tracking_uri: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a part found, and files that show it, by name: ``importance.svg``."""

    document: Document
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Depth:
    """All parts, and their files by ``part/name``."""

    sections: Sections = field(default_factory=Sections)
    files: Mapping[str, bytes] = field(default_factory=dict)


def examine(examination: Examination) -> Depth:
    """Examine every part that the pipeline declares."""
    policy = examination.pipeline.evaluation
    found: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    unexamined: list[UnexaminedPart] = []
    part: Part
    for part in get_args(Part):
        if getattr(policy, part) is None:
            continue
        try:
            finding = importlib.import_module(f"mlops_core.evaluation.parts.{part}").measure(examination)
        except ServiceUnavailableError:
            # Another try may well examine it: a refusal would be for good.
            raise
        except Exception as error:  # a model is anyone's code and may raise anything
            log.warning("%s could not be examined", part, exc_info=error)
            reason = f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
            unexamined.append(UnexaminedPart(part=part, reason=reason))
            continue
        found[part] = finding.document
        files.update({f"{part}/{name}": content for name, content in finding.files.items()})
    return Depth(sections=Sections(**found, unexamined=tuple(unexamined)), files=files)


def unexaminable(pipeline: Pipeline, *, reason: str) -> Depth:
    """Return the depth of a challenger that cannot even score the rows: every declared part is missing."""
    parts = [part for part in get_args(Part) if getattr(pipeline.evaluation, part) is not None]
    missing = tuple(UnexaminedPart(part=part, reason=reason) for part in parts)
    return Depth(sections=Sections(unexamined=missing))
