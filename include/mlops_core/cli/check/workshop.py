"""A temporary place with everything that a model's life needs, and a small sample in it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import DeclarationError
from mlops_core.pipeline import Pipeline
from mlops_core.registry.ledger import Ledger
from mlops_core.reports import ReportStore
from mlops_core.signing.keys import generate_key_pair
from mlops_core.tracking import tracking_client


@dataclass(frozen=True)
class Workshop:
    """The stores of one rehearsal."""

    store: SnapshotStore
    reports: ReportStore
    ledger: Ledger
    tracking_uri: str


@contextmanager
def workshop(pipeline: Pipeline, *, folder: Path) -> Iterator[Workshop]:
    """Make stores and keys in an empty folder, and lead the libraries there for as long as they are used."""
    tracking_uri = f"sqlite:///{folder / 'mlflow.db'}"
    # Without a server MLflow would put artifacts into the working folder.
    tracking_client(tracking_uri).create_experiment(
        pipeline.name, artifact_location=(folder / "artifacts").as_uri()
    )
    private, trusted = folder / "keys" / "signing.pem", folder / "keys" / "trusted"
    generate_key_pair(private, trusted)
    # Without a server, MLflow's registry looks a model up where its variable says.
    with _variables(
        MLFLOW_TRACKING_URI=tracking_uri, MLOPS_SIGNING_KEY=str(private), MLOPS_TRUSTED_KEYS=str(trusted)
    ):
        yield Workshop(
            store=SnapshotStore(str(folder / "data")),
            reports=ReportStore(folder / "reports"),
            ledger=Ledger(f"sqlite:///{folder / 'ledger.db'}"),
            tracking_uri=tracking_uri,
        )


@contextmanager
def _variables(**variables: str) -> Iterator[None]:
    """Set variables of the environment meanwhile."""
    former = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def sample_partitions(pipeline: Pipeline, given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the partitions to rehearse with: those given, else those that the pipeline declares.

    Raises
    ------
    DeclarationError
        If they are too few to train on one and hold the others out.
    """
    partitions = given or pipeline.sample_partitions
    needed = pipeline.split.holdout_partitions + 1
    if len(set(partitions)) < needed:
        named = ", ".join(partitions) or "none"
        raise DeclarationError(
            f"{pipeline.name} needs {needed} partitions to train on one and hold out "
            f"{needed - 1}; named are: {named}. Declare sample_partitions in the pipeline, or give "
            f"--partition {needed} times"
        )
    return partitions


def thin_out(table: pa.Table, *, rows: int) -> pa.Table:
    """Return at most that many rows, evenly spread over the table: the same at every call."""
    step = max(1, -(-table.num_rows // rows))
    return table.take(pa.array(range(0, table.num_rows, step), pa.int64()))
