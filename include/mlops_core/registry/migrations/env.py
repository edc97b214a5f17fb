"""Alembic runs this to migrate: on the connection that it is given, within its open transaction."""

from alembic import context

from mlops_core.registry.schema import VERSION_TABLE, Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
