"""The columns of a table of predictions, and its name: what scoring writes and others read. Light."""

KEY_COLUMN = "key"
SCORE_COLUMN = "score"
LABEL_COLUMN = "label"
VERSION_COLUMN = "model_version"
DIGEST_COLUMN = "model_digest"

_TABLE = "predictions"


def predictions_table_of(pipeline: str) -> str:
    """Return the name under which the snapshot store holds the predictions of the pipeline of that name."""
    return f"{pipeline}/{_TABLE}"
