"""A gateway of its own for documents and other protocols."""

from collections.abc import Iterator
from typing import Any

import pytest
import tritonclient.http as triton

from support.gateway import Gateway
from support.rentals import rentals_gateway


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway in front of real scorers."""
    with rentals_gateway(tmp_path_factory.mktemp("protocols")) as gateway:
        yield gateway


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Any]:
    """Triton's client of it."""
    client = triton.InferenceServerClient(gateway.url.removeprefix("http://"))
    yield client
    client.close()
