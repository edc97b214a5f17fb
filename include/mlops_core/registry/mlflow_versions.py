"""Registered versions on the MLflow server."""

from collections.abc import Mapping

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from mlops_core.models.record import ModelRecord
from mlops_core.tracking import OPERATION_KEY_TAG, equality_filter, is_absent, registry_errors

_PAGE = 1000


def search_versions(
    client: MlflowClient, model: str, *, operation_key: str | None = None
) -> dict[int, ModelVersion]:
    """Return the model's versions by number: those of one operation key, or all."""
    query = equality_filter("name", model)
    if operation_key is not None:
        query += " AND " + equality_filter(f"tags.`{OPERATION_KEY_TAG}`", operation_key)
    found: dict[int, ModelVersion] = {}
    token: str | None = None
    while True:
        with registry_errors(f"search the versions of {model!r}"):
            page = client.search_model_versions(query, max_results=_PAGE, page_token=token)
        found.update((int(version.version), version) for version in page)
        token = page.token
        if not token:
            return dict(sorted(found.items()))


def create_version(client: MlflowClient, model: str, *, stored: ModelRecord, tags: Mapping[str, str]) -> None:
    """Register a stored model as the next version. A lost reply can make two, so search afterwards."""
    with registry_errors(f"register a version of {model!r}"):
        try:
            client.create_registered_model(model)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        client.create_model_version(
            name=model,
            source=stored.uri,
            run_id=stored.run_id,
            tags=dict(tags),
            await_creation_for=0,
            model_id=stored.model_id,
        )


def tag_version(client: MlflowClient, model: str, *, version: int, tags: Mapping[str, str]) -> None:
    """Set tags of a version; one that somebody has deleted is left to the mirror, which says so."""
    with registry_errors(f"tag version {version} of {model!r}"):
        try:
            for name, value in tags.items():
                client.set_model_version_tag(model, str(version), name, value)
        except MlflowException as error:
            if not is_absent(error):
                raise


def delete_version(client: MlflowClient, model: str, *, version: int) -> None:
    """Delete a version; it is no error if somebody else did already."""
    with registry_errors(f"delete version {version} of {model!r}"):
        try:
            client.delete_model_version(model, str(version))
        except MlflowException as error:
            if not is_absent(error):
                raise
