"""Migrations of the registry, which Alembic runs."""
