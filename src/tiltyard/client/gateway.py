"""Calls of the gateway, as an application makes them."""

import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self

import httpx
import numpy as np
import pandas as pd

from tiltyard.client.control import ControlClient
from tiltyard.client.errors import error_from
from tiltyard.errors import ForbiddenError, InvalidInputError, UnavailableError
from tiltyard.settings import Settings

Rows = pd.DataFrame | Iterable[Mapping[str, Any]]

_TOKEN_TRAVELS_S = 10.0


class GatewayClient:
    """One application's calls of the gateway.

    Args:
        url: the gateway's URL.
        token: an application's token.
        patience_s: how long an unknown token is tried again; one that was just issued reaches
            the gateway with the next route table.
    """

    def __init__(self, url: str, token: str, *, patience_s: float = 0.0) -> None:
        self.url = url.rstrip("/")
        self._patience_s = patience_s
        self._http = httpx.Client(
            base_url=self.url,
            headers={"authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(60.0, connect=5.0),
            trust_env=False,
        )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def predict(self, model: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return ``{"model", "version", "predictions"}`` for one request's rows."""
        return self._post(f"/models/{model}/predict", {"rows": list(rows)})

    def send_actuals(self, model: str, actuals: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Send ``{"id", "value", "known_at"?}`` of one request."""
        return self._post(f"/models/{model}/actuals", {"actuals": list(actuals)})

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        until = time.monotonic() + self._patience_s
        while True:
            try:
                response = self._http.post(path, json=body)
            except httpx.TransportError as error:
                raise UnavailableError(
                    f"The gateway at {self.url} does not answer ({error}). "
                    "Is `tiltyard up` running?",
                    url=self.url,
                ) from error
            if response.status_code != httpx.codes.UNAUTHORIZED or time.monotonic() > until:
                break
            time.sleep(0.1)
        if response.is_error:
            raise error_from(response, self.url)
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer


def gateway_client(
    settings: Settings, control: ControlClient, model: str, *, fresh: bool = False
) -> GatewayClient:
    """Return a client with an application token for a model.

    The token is ``client.application_token``, else the one kept in ``home/tokens``, else one
    that is issued now and kept there.

    Args:
        settings: where the gateway is.
        control: issues the token.
        model: what the token is for.
        fresh: do not use the kept one.

    Raises:
        ForbiddenError: there is no token and only an operator may issue one.
    """
    if settings.client.application_token:
        return GatewayClient(settings.gateway_url, settings.client.application_token)
    kept = settings.path("tokens", f"application-{model}")
    if kept.exists() and not fresh:
        return GatewayClient(settings.gateway_url, kept.read_text().strip())
    token = _issue(control, model)
    _keep(kept, token)
    return GatewayClient(settings.gateway_url, token, patience_s=_TOKEN_TRAVELS_S)


def json_rows(rows: Rows) -> list[dict[str, Any]]:
    """Return rows as JSON objects: missing → null, times → RFC 3339 text.

    Raises:
        InvalidInputError: a number is infinite, which JSON cannot say.
    """
    records = rows.to_dict("records") if isinstance(rows, pd.DataFrame) else rows
    return [{str(name): _value(name, value) for name, value in row.items()} for row in records]


def _value(name: object, value: Any) -> Any:
    if not pd.api.types.is_scalar(value):
        return value
    if pd.isna(value):
        return None
    if isinstance(value, datetime | date):
        return value.isoformat()
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and math.isinf(plain):
        raise InvalidInputError(f"Column {str(name)!r} holds an infinite number.", column=str(name))
    return plain


def _issue(control: ControlClient, model: str) -> str:
    try:
        return control.issue_token(f"notebook-{model}", [model]).token
    except ForbiddenError as error:
        raise ForbiddenError(
            "You have no application token and may not issue one: ask an operator for one "
            "(`tiltyard token create`) and set TILTYARD_CLIENT__APPLICATION_TOKEN.",
            model=model,
        ) from error


def _keep(path: Path, token: str) -> None:
    if not path.parent.is_dir():
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token + "\n")
