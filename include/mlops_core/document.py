"""The base of everything that is declared by a user or passed between processes."""

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """An immutable JSON document that refuses unknown fields, NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())
