"""The registry's tables, for SQLite and MySQL/MariaDB alike.

Times are UTC microseconds; documents inside a column are JSON text.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
LONG = 16_777_215
"""Bytes of a long text; MySQL makes it a MEDIUMTEXT or MEDIUMBLOB."""

NAME = String(200)
MODEL = String(63)
HASH = String(64)
WORD = String(32)
SERIAL = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(naming_convention=NAMING)

meta = Table(
    "meta",
    metadata,
    Column("name", WORD, primary_key=True),
    Column("value", String(255), nullable=False),
    **MYSQL,
)

counters = Table(
    "counters",
    metadata,
    Column("name", WORD, primary_key=True),
    Column("value", BigInteger, nullable=False),
    **MYSQL,
)

models = Table(
    "models",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("name", MODEL, nullable=False, unique=True),
    Column("task", WORD, nullable=False),
    Column("owner_group", NAME, nullable=False),
    Column("call_schema", Text(LONG), nullable=False),
    Column("thresholds", Text(LONG), nullable=False),
    Column("description", Text(LONG), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", NAME, nullable=False),
    **MYSQL,
)

versions = Table(
    "versions",
    metadata,
    Column("model", MODEL, ForeignKey(models.c.name), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", HASH, nullable=False),
    Column("manifest", Text(LONG), nullable=False),
    Column("run", WORD),
    Column("retired", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", NAME, nullable=False),
    UniqueConstraint("model", "digest"),
    **MYSQL,
)

champions = Table(
    "champions",
    metadata,
    Column("model", MODEL, primary_key=True),
    Column("version", Integer, nullable=False),
    ForeignKeyConstraint(["model", "version"], [versions.c.model, versions.c.version]),
    **MYSQL,
)

ledger = Table(
    "ledger",
    metadata,
    Column("model", MODEL, ForeignKey(models.c.name), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("who", NAME, nullable=False),
    Column("action", WORD, nullable=False),
    Column("from_version", Integer),
    Column("to_version", Integer),
    Column("reason", Text(LONG), nullable=False),
    Column("evidence", Text(LONG), nullable=False),
    Column("stored", LargeBinary(LONG), nullable=False),
    Column("previous_hash", HASH, nullable=False),
    Column("hash", HASH, nullable=False),
    **MYSQL,
)

deployments = Table(
    "deployments",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", WORD, nullable=False, unique=True),
    Column("model", MODEL, nullable=False),
    Column("version", Integer, nullable=False),
    Column("runtime", WORD, nullable=False),
    Column("replicas", Integer, nullable=False),
    Column("engine", WORD, nullable=False),
    Column("state", WORD, nullable=False),
    Column("endpoints", Text(LONG), nullable=False),
    Column("size", WORD, nullable=False, server_default="small"),
    Column("reason", Text(LONG)),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", NAME, nullable=False),
    ForeignKeyConstraint(["model", "version"], [versions.c.model, versions.c.version]),
    Index("ix_deployments_model_version", "model", "version"),
    **MYSQL,
)

spools = Table(
    "spools",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("spool", String(700), nullable=False, unique=True),
    **MYSQL,
)

gateways = Table(
    "gateways",
    metadata,
    Column("name", NAME, primary_key=True),
    Column("number", Integer, ForeignKey(spools.c.number), nullable=False, unique=True),
    Column("url", String(700), nullable=False),
    Column("confirmed_route", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    **MYSQL,
)

ledger_heads = Table(
    "ledger_heads",
    metadata,
    Column("model", MODEL, primary_key=True),
    Column("length", Integer, primary_key=True, autoincrement=False),
    Column("hash", HASH, primary_key=True),
    Column("gateway", NAME, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    **MYSQL,
)

runs = Table(
    "runs",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", WORD, nullable=False, unique=True),
    Column("request", Text(LONG), nullable=False),
    Column("state", WORD, nullable=False),
    Column("progress", Text(LONG), nullable=False),
    Column("run_key", HASH),
    Column("version", Integer),
    Column("history", HASH),
    Column("error", Text(LONG)),
    Column("attempt", Integer, nullable=False),
    Column("runner", NAME),
    Column("requested_by", NAME, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("heartbeat_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("cancel_requested", Boolean, nullable=False),
    Column("member_of", Text(LONG)),
    Index("ix_runs_state", "state"),
    Index("ix_runs_run_key", "run_key"),
    **MYSQL,
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", WORD, primary_key=True),
    Column("name", NAME, nullable=False),
    Column("sha256", HASH, nullable=False, unique=True),
    Column("models", Text(LONG)),
    Column("scopes", Text(LONG)),
    Column("member_of", Text(LONG), nullable=False),
    Column("run", WORD),
    Column("local", Boolean, nullable=False),
    Column("expires_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", NAME, nullable=False),
    Index("ix_tokens_run", "run"),
    **MYSQL,
)

events = Table(
    "events",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("model", MODEL),
    Column("data", Text(LONG), nullable=False),
    **MYSQL,
)
