"""The first schema: all tables, the counter of routes, the key of prediction ids."""

import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Make the tables, those first that others refer to."""
    _counters()
    _events()
    _ledger_heads()
    _meta()
    _models()
    _runs()
    _spools()
    _tokens()
    _gateways()
    _ledger()
    _versions()
    _champions()
    _deployments()
    _seed()


def _counters() -> None:
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
        **MYSQL,
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=63), nullable=True),
        sa.Column("data", sa.Text(length=16777215), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        **MYSQL,
    )


def _ledger_heads() -> None:
    op.create_table(
        "ledger_heads",
        sa.Column("model", sa.String(length=63), nullable=False),
        sa.Column("length", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("gateway", sa.String(length=200), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("model", "length", "hash", name="pk_ledger_heads"),
        **MYSQL,
    )


def _meta() -> None:
    op.create_table(
        "meta",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_meta"),
        **MYSQL,
    )


def _models() -> None:
    op.create_table(
        "models",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("task", sa.String(length=32), nullable=False),
        sa.Column("owner_group", sa.String(length=200), nullable=False),
        sa.Column("call_schema", sa.Text(length=16777215), nullable=False),
        sa.Column("thresholds", sa.Text(length=16777215), nullable=False),
        sa.Column("description", sa.Text(length=16777215), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_models"),
        sa.UniqueConstraint("name", name="uq_models_name"),
        **MYSQL,
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("request", sa.Text(length=16777215), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("progress", sa.Text(length=16777215), nullable=False),
        sa.Column("run_key", sa.String(length=64), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("history", sa.String(length=64), nullable=True),
        sa.Column("error", sa.Text(length=16777215), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("runner", sa.String(length=200), nullable=True),
        sa.Column("requested_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("heartbeat_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_runs"),
        sa.UniqueConstraint("id", name="uq_runs_id"),
        **MYSQL,
    )
    op.create_index("ix_runs_run_key", "runs", ["run_key"], unique=False)
    op.create_index("ix_runs_state", "runs", ["state"], unique=False)


def _spools() -> None:
    op.create_table(
        "spools",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("spool", sa.String(length=700), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_spools"),
        sa.UniqueConstraint("spool", name="uq_spools_spool"),
        **MYSQL,
    )


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("models", sa.Text(length=16777215), nullable=True),
        sa.Column("scopes", sa.Text(length=16777215), nullable=True),
        sa.Column("member_of", sa.Text(length=16777215), nullable=False),
        sa.Column("run", sa.String(length=32), nullable=True),
        sa.Column("local", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("sha256", name="uq_tokens_sha256"),
        **MYSQL,
    )
    op.create_index("ix_tokens_run", "tokens", ["run"], unique=False)


def _gateways() -> None:
    op.create_table(
        "gateways",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(length=700), nullable=False),
        sa.Column("confirmed_route", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["spools.number"], name="fk_gateways_number"),
        sa.PrimaryKeyConstraint("name", name="pk_gateways"),
        sa.UniqueConstraint("number", name="uq_gateways_number"),
        **MYSQL,
    )


def _ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("model", sa.String(length=63), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("from_version", sa.Integer(), nullable=True),
        sa.Column("to_version", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(length=16777215), nullable=False),
        sa.Column("evidence", sa.Text(length=16777215), nullable=False),
        sa.Column("stored", sa.LargeBinary(length=16777215), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["model"], ["models.name"], name="fk_ledger_model"),
        sa.PrimaryKeyConstraint("model", "number", name="pk_ledger"),
        **MYSQL,
    )


def _versions() -> None:
    op.create_table(
        "versions",
        sa.Column("model", sa.String(length=63), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("manifest", sa.Text(length=16777215), nullable=False),
        sa.Column("run", sa.String(length=32), nullable=True),
        sa.Column("retired", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["model"], ["models.name"], name="fk_versions_model"),
        sa.PrimaryKeyConstraint("model", "version", name="pk_versions"),
        sa.UniqueConstraint("model", "digest", name="uq_versions_model_digest"),
        **MYSQL,
    )


def _champions() -> None:
    op.create_table(
        "champions",
        sa.Column("model", sa.String(length=63), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["versions.model", "versions.version"],
            name="fk_champions_model_version",
        ),
        sa.PrimaryKeyConstraint("model", name="pk_champions"),
        **MYSQL,
    )


def _deployments() -> None:
    op.create_table(
        "deployments",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("model", sa.String(length=63), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("runtime", sa.String(length=32), nullable=False),
        sa.Column("replicas", sa.Integer(), nullable=False),
        sa.Column("engine", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("endpoints", sa.Text(length=16777215), nullable=False),
        sa.Column("reason", sa.Text(length=16777215), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["versions.model", "versions.version"],
            name="fk_deployments_model_version",
        ),
        sa.PrimaryKeyConstraint("number", name="pk_deployments"),
        sa.UniqueConstraint("id", name="uq_deployments_id"),
        **MYSQL,
    )
    op.create_index(
        "ix_deployments_model_version", "deployments", ["model", "version"], unique=False
    )


def _seed() -> None:
    key = secrets.token_hex(32)
    meta = sa.table("meta", sa.column("name", sa.String), sa.column("value", sa.String))
    op.bulk_insert(meta, [{"name": "id_key", "value": key}])
    counters = sa.table("counters", sa.column("name", sa.String), sa.column("value", sa.BigInteger))
    op.bulk_insert(counters, [{"name": "route", "value": 0}])
