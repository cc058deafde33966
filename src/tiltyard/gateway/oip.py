"""The Open Inference Protocol (v2): an adapter over the same core."""

import asyncio
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import tiltyard
from tiltyard.errors import ConflictError, TiltyardError, TooLargeError
from tiltyard.gateway.columns import narrowed
from tiltyard.gateway.errors import UnsupportedEncodingError
from tiltyard.gateway.http import error_headers
from tiltyard.gateway.oip_tensors import (
    Asked,
    InferRequest,
    Tensor,
    columns_of,
    datatype,
    read_request,
    rows_of,
    write_answer,
)
from tiltyard.gateway.service import Service
from tiltyard.gateway.table import RoutedModel
from tiltyard.gateway.tickets import Answer, PredictAnswer
from tiltyard.types.schema import Output

HEADER_LENGTH = "inference-header-content-length"
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

    def answered(self, answer: Answer) -> None:
        """Take the answer; nobody may wait any more."""
        if not self.future.done() and isinstance(answer, PredictAnswer):
            self.future.set_result(answer)

    def failed(self, error: TiltyardError) -> None:
        """Take the reason why there is none."""
        if not self.future.done():
            self.future.set_exception(error)


class InferenceRoutes:
    """The routes below ``/v2``."""

    def __init__(self, service: Service) -> None:
        self._service = service

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
        ready = self._service.ready
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse({"ready": ready}, status)

    async def metadata(self, request: Request) -> Response:
        """Model metadata: a tensor of shape [n] for each column."""
        model = self._model(request)
        champion, _, _ = model.answering()
        signature = champion.signature
        columns = narrowed(model.route.call_schema, signature)
        inputs = [{"name": c.name, "datatype": datatype(c.type), "shape": [-1]} for c in columns]
        outputs = [
            {"name": "value", "datatype": datatype(signature.output.type), "shape": [-1]},
            {"name": "id", "datatype": "BYTES", "shape": [-1]},
        ]
        if signature.output.probabilities:
            shape = [-1, len(model.classes)]
            outputs.append({"name": "probabilities", "datatype": "FP64", "shape": shape})
        return JSONResponse(
            {
                "name": model.name,
                "versions": [str(champion.version)],
                "platform": PLATFORM,
                "inputs": inputs,
                "outputs": outputs,
            }
        )

    async def model_ready(self, request: Request) -> Response:
        """Whether the model's champion has a scorer."""
        model = self._model(request)
        _, pool, _ = model.answering()
        status = HTTPStatus.OK if pool.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse({"name": model.name, "ready": pool.ready}, status)

    async def infer(self, request: Request) -> Response:
        """Predict; the rows are logged as those of any call."""
        model = self._model(request)
        core = self._service.core
        core.turn_away_when_busy()
        asked, binary = await self._read(request)
        rows = rows_of(columns_of(asked, binary))
        if len(rows) > core.settings.max_rows:
            raise TooLargeError(f"More than {core.settings.max_rows} rows in one call.")
        reply = FutureReply()
        core.predict_rows(model.name, rows, reply)
        answer = await reply.future
        body, length = write_answer(_head(answer, asked), _outputs(answer, model, asked))
        headers = {} if length is None else {HEADER_LENGTH: str(length)}
        kind = "application/json" if length is None else "application/octet-stream"
        return Response(body, headers=headers, media_type=kind)

    async def _read(self, request: Request) -> tuple[InferRequest, bytes]:
        encoding = request.headers.get("content-encoding", "identity")
        if encoding != "identity":
            raise UnsupportedEncodingError(encoding)
        return read_request(await request.body(), request.headers.get(HEADER_LENGTH))

    def _model(self, request: Request) -> RoutedModel:
        """Return the model that is addressed, if the caller may call it.

        Raises:
            ConflictError: another version than the champion is addressed.
        """
        routes = self._service.core.current()
        name = request.path_params["model"]
        routes.authorize(request.headers.get("authorization", "").encode("latin-1"), name)
        model = routes.model(name)
        wanted = request.path_params.get("version")
        if wanted is not None and (model.champion is None or wanted != str(model.champion.version)):
            champion = model.champion.version if model.champion else "none"
            raise ConflictError(
                f"Only the champion of {name!r} answers, which is version {champion}: "
                "address the model without a version."
            )
        return model


def _head(answer: PredictAnswer, asked: InferRequest) -> dict[str, Any]:
    head: dict[str, Any] = {"model_name": answer.model, "model_version": str(answer.version)}
    return head if asked.id is None else {**head, "id": asked.id}


def _outputs(
    answer: PredictAnswer, model: RoutedModel, asked: InferRequest
) -> list[tuple[Tensor, bool]]:
    """Return the tensors that were asked for, by default all."""
    output = model.champion.signature.output if model.champion else None
    tensors = _tensors(answer, output)
    binary = bool(asked.parameters.get("binary_data_output", False))
    wanted = asked.outputs or [Asked(name) for name in tensors]
    return [
        (tensors[one.name], bool(one.parameters.get("binary_data", binary)))
        for one in wanted
        if one.name in tensors
    ]


def _tensors(answer: PredictAnswer, output: Output | None) -> dict[str, Tensor]:
    predictions = answer.predictions
    n = len(predictions)
    kind = datatype(output.type) if output else "FP64"
    tensors = {
        "value": Tensor("value", [n], kind, data=[p.value for p in predictions]),
        "id": Tensor("id", [n], "BYTES", data=[p.id for p in predictions]),
    }
    if n and predictions[0].probabilities is not None:
        flat = [v for p in predictions for v in (p.probabilities or {}).values()]
        tensors["probabilities"] = Tensor("probabilities", [n, len(flat) // n], "FP64", data=flat)
    return tensors
