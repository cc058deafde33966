"""What Alembic runs: the migrations, on the connection that the registry gives it."""

from alembic import context

from tiltyard.registry.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
