"""Models: names with a task, an owner group and a call schema."""

from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, exists, insert, select, update

from tiltyard.errors import ConflictError, InvalidInputError
from tiltyard.registry import callschema
from tiltyard.registry.clock import now
from tiltyard.registry.database import Database, next_route
from tiltyard.registry.events import record
from tiltyard.registry.reading import find_model, select_models, to_model
from tiltyard.registry.tables import models
from tiltyard.types.registry import Model, Thresholds
from tiltyard.types.schema import CallSchema, ModelName, Task

DEFAULT_METRIC = {Task.REGRESSION: "rmse", Task.CLASSIFICATION: "f1"}
NAME: TypeAdapter[str] = TypeAdapter(ModelName)


class Models:
    """The models of the registry. A model is never removed and keeps its name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        name: str,
        task: Task,
        call_schema: CallSchema,
        owner_group: str,
        created_by: str,
        thresholds: Thresholds | None = None,
        description: str = "",
    ) -> Model:
        """Make a model; its thresholds default to RMSE or F1.

        Raises:
            InvalidInputError: the name or the call schema cannot be used.
            ConflictError: there is a model of that name.
        """
        _check_name(name)
        callschema.check(call_schema, task)
        chosen = thresholds or Thresholds(metric=DEFAULT_METRIC[task])
        values = {
            "name": name,
            "task": task.value,
            "owner_group": owner_group,
            "call_schema": call_schema.model_dump_json(),
            "thresholds": chosen.model_dump_json(),
            "description": description,
            "created_at": now(),
            "created_by": created_by,
        }
        with self._database.write() as connection:
            if connection.execute(select(exists().where(models.c.name == name))).scalar():
                raise ConflictError(f"There is a model {name!r} already: take another name.")
            connection.execute(insert(models).values(values))
            next_route(connection)
            record(connection, "model.created", name, {"task": task.value})
            return find_model(connection, name)

    def get(self, name: str) -> Model:
        """Return a model.

        Raises:
            NotFoundError: listing the models there are.
        """
        with self._database.read() as connection:
            return find_model(connection, name)

    def list(self) -> list[Model]:
        """Return all models by name."""
        with self._database.read() as connection:
            return [to_model(row) for row in connection.execute(select_models()).mappings()]

    def widen(self, name: str, call_schema: CallSchema) -> Model:
        """Widen the call schema; nothing happens if it is the same.

        Raises:
            NotFoundError: there is no such model.
            InvalidInputError: naming each difference that would narrow it.
        """
        with self._database.write() as connection:
            model = find_model(connection, name)
            schema = callschema.widened(model.call_schema, call_schema)
            callschema.check(schema, model.task)
            if schema == model.call_schema:
                return model
            _change(connection, name, {"call_schema": schema.model_dump_json()})
            next_route(connection)
            record(connection, "model.widened", name, {"columns": len(schema.columns)})
            return find_model(connection, name)

    def update(
        self, name: str, thresholds: Thresholds | None = None, description: str | None = None
    ) -> Model:
        """Set what is given.

        Raises:
            NotFoundError: there is no such model.
        """
        values: dict[str, Any] = {}
        if thresholds is not None:
            values["thresholds"] = thresholds.model_dump_json()
        if description is not None:
            values["description"] = description
        with self._database.write() as connection:
            model = find_model(connection, name)
            if not values:
                return model
            _change(connection, name, values)
            record(connection, "model.updated", name, {"fields": sorted(values)})
            return find_model(connection, name)


def _change(connection: Connection, name: str, values: dict[str, Any]) -> None:
    connection.execute(update(models).where(models.c.name == name).values(values))


def _check_name(name: str) -> None:
    try:
        NAME.validate_python(name)
    except ValidationError:
        raise InvalidInputError(
            f"{name!r} is no name for a model: begin with a lowercase letter, go on with lowercase "
            "letters, digits, - and _, at most 63 in all."
        ) from None
