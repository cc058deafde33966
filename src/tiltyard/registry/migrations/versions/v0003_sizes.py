"""Deployments have a size class."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; what was deployed before is small."""
    size = sa.Column("size", sa.String(32), nullable=False, server_default="small")
    op.add_column("deployments", size)
