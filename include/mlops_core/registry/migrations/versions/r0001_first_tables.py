"""The tables as they were before there were migrations: a ledger that has them already keeps them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_KEY = sa.String(250)
_NAME = sa.String(63)
_INSTANT = sa.DateTime(timezone=True)


def _to_version() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["model", "version"], ["ledger_versions.model", "ledger_versions.version"])


def upgrade() -> None:
    """Make the tables that are missing."""
    _make_versions()
    _make_moves()
    _make_memories()


def _make_versions() -> None:
    op.create_table(
        "ledger_models",
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("challenger", sa.Integer),
        sa.Column("mirrored", sa.Boolean, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "ledger_versions",
        sa.Column("model", _NAME, sa.ForeignKey("ledger_models.name"), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("uri", sa.String, nullable=False),
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("evidence_digest", sa.String),
        sa.Column("operation_key", _KEY, nullable=False, unique=True),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        if_not_exists=True,
    )


def _make_moves() -> None:
    op.create_table(
        "ledger_transitions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", _NAME, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("previous_version", sa.Integer),
        sa.Column("beneath", sa.Integer),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("evidence_digest", sa.String, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("operation_key", _KEY, nullable=False, unique=True),
        sa.Column("at", _INSTANT, nullable=False),
        sa.UniqueConstraint("model", "generation"),
        _to_version(),
        if_not_exists=True,
    )
    op.create_table(
        "ledger_deployments",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", _NAME, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("share", sa.Double, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("operation_key", _KEY, nullable=False, unique=True),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.UniqueConstraint("model", "revision", "version"),
        _to_version(),
        if_not_exists=True,
    )


def _make_memories() -> None:
    op.create_table(
        "ledger_trainings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", _NAME, nullable=False),
        sa.Column("snapshot_digest", sa.String, nullable=False),
        sa.Column("partitions", sa.JSON, nullable=False),
        sa.Column("operation_key", _KEY, nullable=False, unique=True),
        sa.Column("requested_by", sa.String, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "ledger_decisions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", _NAME, nullable=False),
        sa.Column("window", sa.String, nullable=False),
        sa.Column("decision", sa.JSON, nullable=False),
        sa.Column("operation_key", _KEY, nullable=False, unique=True),
        sa.Column("at", _INSTANT, nullable=False),
        if_not_exists=True,
    )
    for table in ("ledger_trainings", "ledger_decisions"):
        op.create_index(f"ix_{table}_model", table, ["model"], if_not_exists=True)
