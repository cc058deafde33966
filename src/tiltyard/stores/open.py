"""Stores by URL: ``sqlite:///relative.db``, ``sqlite:////absolute.db``."""

from importlib import import_module

from tiltyard.errors import InvalidInputError
from tiltyard.stores.base import Store

STORES = {"sqlite": "tiltyard.stores.sqlite.store:SqliteStore"}
"""URL scheme → class that takes the URL; imported when it is asked for."""


def open_store(url: str) -> Store:
    """Open the store at a URL, making or migrating it when that is needed.

    Raises:
        InvalidInputError: the scheme is unknown or the URL lacks something.
        UnavailableError: the store cannot be reached now.
        IntegrityError: what is there is not a store of this Tiltyard.
    """
    scheme = url.partition(":")[0]
    if scheme not in STORES:
        raise InvalidInputError(
            f"There is no kind of store {scheme!r} (from {url!r}). Set store.url to one of: "
            f"{', '.join(f'{known}://…' for known in sorted(STORES))}.",
            url=url,
        )
    module, name = STORES[scheme].split(":")
    store: Store = getattr(import_module(module), name)(url)
    return store
