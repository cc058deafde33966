"""The peer of the benchmark: one process, plain ASGI on uvicorn, ONNX, no log, no batching.

``python bare_asgi.py FOLDER PORT``: serves ``POST /`` for a version's folder with 30 float
columns. It does what such a server needs at least: validates, checks a token, scores, answers.
"""

import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime
import uvicorn

FEATURES = 30
AUTHORIZATION = b"Bearer application-token"

Row = msgspec.defstruct(
    "Row", [(f"f{i}", float) for i in range(FEATURES)], forbid_unknown_fields=True, gc=False
)


class Body(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The same body as the gateway's."""

    rows: list[Row]  # type: ignore[valid-type]  # made at run time


def make_app(folder: Path) -> Any:
    """Return the ASGI application."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "model.onnx", options)
    (given,) = session.get_inputs()
    dtype = np.float64 if given.type == "tensor(double)" else np.float32
    wanted = [output.name for output in session.get_outputs()]
    decode = msgspec.json.Decoder(Body).decode

    def score(rows: list[Any]) -> list[Any]:
        matrix = np.array([msgspec.structs.astuple(row) for row in rows], dtype=dtype)
        return session.run(wanted, {given.name: matrix})[0].ravel().tolist()  # type: ignore[no-any-return]  # onnxruntime is untyped

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        parts = []
        more = True
        while more:
            message = await receive()
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        status, answer = 401, b"{}"
        if (b"authorization", AUTHORIZATION) in scope["headers"]:
            values = score(decode(b"".join(parts)).rows)
            predictions = [{"id": str(i), "value": v} for i, v in enumerate(values)]
            status, answer = 200, msgspec.json.encode({"predictions": predictions})
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return app


if __name__ == "__main__":
    uvicorn.run(
        make_app(Path(sys.argv[1])),
        port=int(sys.argv[2]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )
