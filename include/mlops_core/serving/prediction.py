"""One loaded version with what it accepts: a request's body in, an answer's body out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic_core import to_json

from mlops_core.errors import InvalidRecordsError, RejectedError, VerificationError
from mlops_core.models.loaded import LoadedModel, Predictions
from mlops_core.models.problem import Problem
from mlops_core.models.records import MOST_PROBLEMS, RecordsSchema, answers_of, records_of
from mlops_core.models.version import load_version
from mlops_core.registry.records import Deployment, VersionRecord
from mlops_core.serving.protocol import ModelDescription, VersionIdentity

_LONGEST_REASON = 200


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The body of an answer, and how many records it predicts."""

    body: bytes
    rows: int


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A loaded version and the records that it accepts. Safe to use from several threads at once."""

    version: VersionRecord
    model: LoadedModel
    schema: RecordsSchema

    @property
    def identity(self) -> VersionIdentity:
        """Which version this is."""
        return VersionIdentity.of(self.version)

    def answer(self, body: bytes) -> Answer:
        """Predict the records of a request's body.

        Raises
        ------
        InvalidRecordsError
            If a record does not fit the model's features, or the model cannot predict it.
        """
        frame = self.schema.parse(body)
        predictions = self._predict(frame)
        content = {
            "model": self.version.model,
            "version": self.version.version,
            "digest": self.version.digest,
            "predictions": answers_of(predictions, self.model),
        }
        return Answer(body=to_json(content), rows=len(frame))

    def warm_up(self) -> None:
        """Answer the model's own input example, so that the first request is not the first prediction.

        Raises
        ------
        InvalidRecordsError
            If the model or its schema refuses the example: a model that would answer nobody.
        """
        example = self.model.input_example.head(self.schema.max_records)
        self.answer(to_json({"records": records_of(example, self.model.features)}))

    def description(self) -> ModelDescription:
        """Return what a client's author must know."""
        return ModelDescription(
            model=self.version.model,
            version=self.version.version,
            digest=self.version.digest,
            task=self.model.task.value,
            features=dict(self.model.features),
            example=records_of(self.model.input_example.head(1), self.model.features)[0],
        )

    def _predict(self, frame: pd.DataFrame) -> Predictions:
        try:
            predictions = self.model.predict(frame)
        except (RejectedError, ValueError, TypeError, ArithmeticError, LookupError) as error:
            # The model answered its example when it was loaded, so it is these records that it cannot
            # take: an unseen category, a null that it never learned, a number beyond single precision.
            reason = f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
            raise InvalidRecordsError(
                Problem(loc=("records",), msg=f"the model cannot predict these records; {reason}")
            ) from error
        finite = np.isfinite(predictions.scores.reshape(len(frame), -1)).all(axis=1)
        if not finite.all():
            problems = (
                Problem(
                    loc=("records", int(index)),
                    msg="the model's score is not finite; are the values extreme?",
                )
                for index in np.flatnonzero(~finite)[:MOST_PROBLEMS]
            )
            raise InvalidRecordsError(*problems)
        return predictions


def load_served_model(
    deployment: Deployment,
    *,
    tracking_uri: str,
    cache: Path,
    max_records: int,
) -> ServedModel:
    """Download, verify, load and warm the version of a deployment.

    Raises
    ------
    UntrustedModelError
        If no trusted key signed it, or its files differ from the digest in the ledger.
    RegistryUnavailableError
        If MLflow does not answer.
    VerificationError
        If it cannot predict its own input example.
    """
    version = deployment.version
    model = load_version(version, tracking_uri=tracking_uri, cache=cache)
    served = ServedModel(
        version=version, model=model, schema=RecordsSchema(model.features, max_records=max_records)
    )
    try:
        served.warm_up()
    except InvalidRecordsError as error:
        raise VerificationError(
            f"model {version.model!r} version {version.version} cannot predict its own input example: {error}"
        ) from error
    return served
