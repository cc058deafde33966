"""Runs keep the groups of who asked for them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; of runs asked for before, nothing is known."""
    op.add_column("runs", sa.Column("member_of", sa.Text(length=16777215), nullable=True))
