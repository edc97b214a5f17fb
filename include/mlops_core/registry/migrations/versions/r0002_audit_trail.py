"""Signatures, approvals, retirements, evaluations, pipelines, and the audit trail of what happened before."""

import sqlalchemy as sa
from alembic import op

from mlops_core.registry.migrations import backfill

revision = "0002"
down_revision = "0001"

_KEY = sa.String(250)
_NAME = sa.String(63)
_INSTANT = sa.DateTime(timezone=True)


def _to_version() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["model", "version"], ["ledger_versions.model", "ledger_versions.version"])


def upgrade() -> None:
    """Add what is new, then seal what the older tables say into the audit trail."""
    op.add_column("ledger_versions", sa.Column("signature", sa.JSON))
    _make_evaluations()
    _make_approvals()
    _make_retirements()
    _make_events()
    backfill.seal_the_past(op.get_bind())


def _make_evaluations() -> None:
    op.create_table(
        "ledger_pipelines",
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("risk", sa.String(16), nullable=False),
        sa.Column("description", sa.String, nullable=False),
        sa.Column("reference", sa.String, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
    )
    op.create_table(
        "ledger_evaluations",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", _NAME, nullable=False, index=True),
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("evidence_digest", sa.String, nullable=False),
        sa.Column("rows_digest", sa.String, nullable=False),
        sa.Column("candidate", _NAME, nullable=False),
        sa.Column("passed", sa.Boolean, nullable=False),
        sa.Column("page", sa.String, nullable=False),
        sa.Column("dag_id", sa.String, nullable=False),
        sa.Column("operation_key", _KEY, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.UniqueConstraint("operation_key", "evidence_digest"),
    )


def _make_approvals() -> None:
    op.create_table(
        "ledger_approval_requests",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", _NAME, nullable=False, index=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("evidence_digest", sa.String, nullable=False),
        sa.Column("risk", sa.String(16), nullable=False),
        sa.Column("approvers", sa.JSON, nullable=False),
        sa.Column("requested_by", sa.String, nullable=False),
        sa.Column("dag_id", sa.String, nullable=False),
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("task_id", sa.String, nullable=False),
        sa.Column("operation_key", _KEY, nullable=False, unique=True),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        _to_version(),
    )
    op.create_table(
        "ledger_approvals",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", _NAME, nullable=False, index=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("evidence_digest", sa.String, nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("operation_key", _KEY, nullable=False, unique=True),
        sa.Column("at", _INSTANT, nullable=False),
        _to_version(),
    )


def _make_retirements() -> None:
    op.create_table(
        "ledger_retirements",
        sa.Column("model", _NAME, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("archive", sa.String, nullable=False),
        sa.Column("archive_digest", sa.String, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("operation_key", _KEY, nullable=False, unique=True),
        sa.Column("at", _INSTANT, nullable=False),
        _to_version(),
    )


def _make_events() -> None:
    op.create_table(
        "ledger_events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("model", _NAME, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("evidence_digest", sa.String),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("operation_key", _KEY, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("former_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.UniqueConstraint("model", "sequence"),
        sa.UniqueConstraint("kind", "operation_key"),
        _to_version(),
    )
