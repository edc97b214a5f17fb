"""What is wrong with a record, and where. Light: an Airflow task's client of the model server imports it."""

from mlops_core.document import Document


class Problem(Document):
    """One thing that is wrong with a request, and where: ``("records", 3, "distance")``."""

    loc: tuple[str | int, ...]
    msg: str

    def __str__(self) -> str:
        return f"{'.'.join(str(part) for part in self.loc)}: {self.msg}"
