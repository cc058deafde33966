"""The application: it knows the gateway's URL and a token, and nothing of Tiltyard."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx

from demo.data import Observation

LATE = timedelta(hours=6)
"""How much later than its hour an actual becomes known."""
PATIENCE_S = 20.0


class Application:
    """Calls one model over a connection that stays open.

    Attributes:
        calls: predictions that were answered.
    """

    def __init__(self, url: str, token: str, model: str) -> None:
        self.calls = 0
        self._model = model
        self._http = httpx.Client(
            base_url=f"{url}/models/{model}",
            headers={"authorization": f"Bearer {token}"},
            timeout=60,
            trust_env=False,
        )
        self._waiting: list[tuple[str, Observation]] = []

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def predict(
        self, observations: Sequence[Observation], *, remember: bool = True
    ) -> dict[str, Any]:
        """Ask for predictions in one call; with ``remember`` actuals will follow."""
        answer = self._post("predict", {"rows": [o.row for o in observations]})
        self.calls += len(observations)
        if remember:
            ids = [prediction["id"] for prediction in answer["predictions"]]
            self._waiting += zip(ids, observations, strict=True)
        return answer

    def send_actuals(self, now: datetime | None = None) -> int:
        """Send the actuals known by now in the data's time, all of them without a time."""
        known = [w for w in self._waiting if now is None or _known(w[1], now)]
        for start in range(0, len(known), 1000):
            self._post("actuals", {"actuals": [_actual(*k) for k in known[start : start + 1000]]})
        self._waiting = self._waiting[len(known) :]  # in the order of time
        return len(known)

    def _post(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        """Call; 401 until the gateway has learnt of the token, 503 while it is busy."""
        end = time.monotonic() + PATIENCE_S
        while True:
            answer = self._http.post(f"/{what}", json=body)
            if answer.status_code not in {401, 503} or time.monotonic() > end:
                break
            time.sleep(0.1)
        if answer.is_error:
            raise RuntimeError(f"{what} of {self._model}: {answer.status_code} {answer.text}")
        content: dict[str, Any] = answer.json() if answer.content else {}
        return content


def _known(observation: Observation, now: datetime) -> bool:
    return observation.at is None or observation.at + LATE <= now


def _actual(id_: str, observation: Observation) -> dict[str, Any]:
    actual: dict[str, Any] = {"id": id_, "value": observation.actual}
    if observation.at is not None:
        actual["known_at"] = (observation.at + LATE).isoformat()
    return actual
