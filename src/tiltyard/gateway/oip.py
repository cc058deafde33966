"""The Open Inference Protocol (v2): an adapter over the same core."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import tiltyard
from tiltyard.errors import ConflictError, TiltyardError
from tiltyard.gateway.errors import UnsupportedEncodingError
from tiltyard.gateway.front import Front
from tiltyard.gateway.http import error_headers
from tiltyard.gateway.oip_answers import OutputTensor, outputs_of, write_answer
from tiltyard.gateway.oip_requests import HEADER_LENGTH, read_request, rows_of
from tiltyard.gateway.oip_tensors import datatype
from tiltyard.gateway.table import RoutedModel
from tiltyard.gateway.tickets import Answer, PredictAnswer

PLATFORM = "tiltyard"


def is_oip(path: str) -> bool:
    """Whether errors of this path have the protocol's shape."""
    return path == "/v2" or path.startswith("/v2/")


def oip_error(error: TiltyardError) -> Response:
    """Return an error in the protocol's shape."""
    return JSONResponse({"error": error.message}, error.status, error_headers(error))


class FutureReply:
    """Hands a call's answer to a coroutine."""

    def __init__(self) -> None:
        self.future: asyncio.Future[PredictAnswer] = asyncio.get_running_loop().create_future()
        self._answer: Answer | None = None

    def prepare(self, answer: Answer) -> None:
        """Keep what will be the answer."""
        self._answer = answer

    def answered(self) -> None:
        """Hand it over; nobody may wait any more."""
        if not self.future.done() and isinstance(self._answer, PredictAnswer):
            self.future.set_result(self._answer)

    def failed(self, error: TiltyardError) -> None:
        """Take the reason why there is none."""
        if not self.future.done():
            self.future.set_exception(error)


class InferenceRoutes:
    """The routes below ``/v2``."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def routes(self) -> list[Route]:
        """Return them; a model may be addressed with its champion's version."""
        model = "/v2/models/{model}"
        version = model + "/versions/{version}"
        return [
            Route("/v2", self.server),
            Route("/v2/health/live", self.live),
            Route("/v2/health/ready", self.ready),
            *(Route(prefix, self.metadata) for prefix in (model, version)),
            *(Route(f"{prefix}/ready", self.model_ready) for prefix in (model, version)),
            *(
                Route(f"{prefix}/infer", self.infer, methods=["POST"])
                for prefix in (model, version)
            ),
        ]

    async def server(self, _: Request) -> Response:
        """Server metadata."""
        extensions = ["binary_tensor_data"]
        body = {"name": PLATFORM, "version": tiltyard.__version__, "extensions": extensions}
        return JSONResponse(body)

    async def live(self, _: Request) -> Response:
        """Whether the process answers."""
        return JSONResponse({"live": True})

    async def ready(self, _: Request) -> Response:
        """Whether calls can be answered."""
        ready = self._front.ready
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse({"ready": ready}, status)

    async def metadata(self, request: Request) -> Response:
        """Model metadata: a tensor of shape [n] for each column."""
        model = self._model(request)
        champion, _, _ = model.answering()
        body = {
            "name": model.name,
            "versions": [str(champion.version)],
            "platform": PLATFORM,
            "inputs": [OutputTensor(c.name, datatype(c.type), [-1]) for c in model.rows.columns],
            "outputs": list(outputs_of(champion.signature).values()),
        }
        return JSONResponse(msgspec.to_builtins(body))

    async def model_ready(self, request: Request) -> Response:
        """Whether the model's champion has a scorer."""
        model = self._model(request)
        _, pool, _ = model.answering()
        status = HTTPStatus.OK if pool.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse({"name": model.name, "ready": pool.ready}, status)

    async def infer(self, request: Request) -> Response:
        """Predict; the rows are logged as those of any call."""
        core, reply = self._front.core, FutureReply()
        with self._counting_refusals(request.path_params["model"]):
            body = await self._body(request)
            # Nothing is awaited from here until the core has the rows: there is one champion.
            model = self._model(request)
            champion, _, _ = model.answering()
            outputs = outputs_of(champion.signature)
            asked, binary = read_request(body, request.headers.get(HEADER_LENGTH))
            wanted = asked.wanted(list(outputs))
            rows = rows_of(asked, binary, core.settings.max_rows)
        core.predict_rows(model.name, rows, reply)
        answer = await reply.future
        return _response(*write_answer(model, outputs, wanted, answer, asked.id))

    async def _body(self, request: Request) -> bytes:
        """Return the body of a call that need not be turned away before it is read."""
        self._model(request)
        self._front.core.turn_away_when_busy()
        encoding = request.headers.get("content-encoding", "identity").strip()
        if encoding.lower() != "identity":
            raise UnsupportedEncodingError(encoding)
        return await request.body()

    @contextmanager
    def _counting_refusals(self, name: str) -> Iterator[None]:
        try:
            yield
        except TiltyardError as error:
            self._front.core.refuse(name, "predict", error)
            raise

    def _model(self, request: Request) -> RoutedModel:
        """Return the model that is addressed, if the caller may call it.

        Raises:
            TiltyardError: it does not exist, the caller may not call it, or another version than
                the champion is addressed.
        """
        routes = self._front.core.current()
        name = request.path_params["model"]
        routes.authorize(request.headers.get("authorization", "").encode("latin-1"), name)
        model = routes.model(name)
        wanted = request.path_params.get("version")
        if wanted is not None and (model.champion is None or wanted != str(model.champion.version)):
            champion, _, _ = model.answering()
            raise ConflictError(
                f"Only the champion of {name!r} answers, which is version {champion.version}: "
                "address that, or the model without a version.",
                reason="not_champion",
            )
        return model


def _response(body: bytes, json_length: int | None) -> Response:
    if json_length is None:
        return Response(body, media_type="application/json")
    headers = {HEADER_LENGTH: str(json_length)}
    return Response(body, headers=headers, media_type="application/octet-stream")
