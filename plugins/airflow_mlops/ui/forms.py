"""What the forms of a model's page send, and what it is bound to."""

from typing import Annotated

from fastapi import HTTPException, Request, status
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from mlops_core.policies import LONGEST_REASON, SHORTEST_REASON

LARGEST_FORM = 16 * 1024

Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=SHORTEST_REASON, max_length=LONGEST_REASON),
]


class ActionForm(BaseModel):
    """A person's reason, and the state that the page showed when it was given.

    ``key`` names the form as it was shown: sent twice, it starts one run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Reason
    key: str = Field(pattern=r"^[0-9a-f]{16}$")
    generation: int = Field(ge=0)
    version: int | None = Field(default=None, ge=1)
    evidence: str | None = Field(default=None, max_length=128)


class InvalidFormError(Exception):
    """The form cannot be taken as it is; ``reason`` is what the person had written."""

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


async def read_form(request: Request) -> ActionForm:
    """Read and check a form.

    Raises
    ------
    InvalidFormError
        In words for the person who filled it in.
    """
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > LARGEST_FORM:
        raise HTTPException(status.HTTP_413_CONTENT_TOO_LARGE, f"A form has at most {LARGEST_FORM} bytes.")
    async with request.form(max_files=0, max_fields=10) as sent:
        fields = {name: value for name, value in sent.items() if value != ""}
    # A browser sends line ends as two characters and counts them as one.
    reason = str(fields.get("reason", "")).replace("\r\n", "\n")
    try:
        return ActionForm.model_validate({**fields, "reason": reason})
    except ValidationError as error:
        wrong = {str(problem["loc"][0]) for problem in error.errors()}
        if wrong == {"reason"}:
            raise InvalidFormError(
                f"Give a reason of {SHORTEST_REASON} to {LONGEST_REASON} characters, for the ledger.",
                reason=reason[: 2 * LONGEST_REASON],
            ) from error
        raise InvalidFormError(
            f"The form was not filled in by this page ({', '.join(sorted(wrong))}); try again.", reason=reason
        ) from error
