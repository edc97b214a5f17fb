"""The document that names one stored model."""

from mlops_core.document import Document


class ModelRecord(Document):
    """One stored model: where it can be downloaded, and the digest that its files must have.

    ``uri`` is MLflow's ``models:/m-...``. The digest, and not the URI, says which model it is.
    """

    run_id: str
    model_id: str
    uri: str
    digest: str
