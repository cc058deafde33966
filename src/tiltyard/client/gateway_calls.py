"""Calls about tokens, gateways, routes and events."""

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus

from tiltyard.client.calls import Calls, json_of
from tiltyard.types.registry import Event, IssuedToken, LedgerHead, TokenInfo
from tiltyard.types.routes import GatewayInfo, RouteTable


class GatewayCalls(Calls):
    """Tokens, gateways, routes, events."""

    def issue_token(self, name: str, models: Iterable[str]) -> IssuedToken:
        """Make an application's token; its text is shown this once."""
        return self._send(IssuedToken, "POST", "/tokens", {"name": name, "models": list(models)})

    def tokens(self) -> list[TokenInfo]:
        """Return the tokens there are."""
        return self._list(TokenInfo, "/tokens")

    def revoke_token(self, token: str) -> None:
        """Revoke a token by its id."""
        self.transport.send("DELETE", f"/tokens/{token}")

    def register_gateway(self, name: str, url: str, spool: str) -> GatewayInfo:
        """Register a gateway; a new spool folder gets a new number."""
        body = {"name": name, "url": url, "spool": spool}
        return self._send(GatewayInfo, "POST", "/gateways", body)

    def gateways(self) -> list[GatewayInfo]:
        """Return the registered gateways."""
        return self._list(GatewayInfo, "/gateways")

    def remove_gateway(self, name: str) -> None:
        """Unregister a gateway."""
        self.transport.send("DELETE", f"/gateways/{name}")

    def routes(self, after: int | None = None, wait_s: float = 0.0) -> RouteTable | None:
        """Return the route table when it is newer than ``after``; None if not within wait_s."""
        answer = self.transport.send(
            "GET",
            "/routes",
            params={"after": after, "wait_s": wait_s},
            timeout=self.transport.timeout + wait_s,
        )
        if answer.status_code == HTTPStatus.NO_CONTENT:
            return None
        return RouteTable.model_validate_json(answer.content)

    def confirm_routes(
        self, gateway: str, route_number: int, ledgers: Mapping[str, LedgerHead] | None = None
    ) -> None:
        """Tell that every call begun under older routes has ended."""
        heads = {model: json_of(head) for model, head in (ledgers or {}).items()}
        body = {"route_number": route_number, "ledgers": heads}
        self.transport.send("POST", f"/gateways/{gateway}/confirm", json=body)

    def events(self, after: int | None = None) -> Iterator[Event]:
        """Yield events as they happen, from the first after that id on, until control ends."""
        with self.transport.stream("GET", "/events", params={"after": after}, timeout=60) as answer:
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    yield Event.model_validate_json(line.removeprefix("data:"))
