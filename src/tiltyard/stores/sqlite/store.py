"""The store in one SQLite file."""

from tiltyard.stores.sqlite.followers import Followers
from tiltyard.stores.sqlite.history import History
from tiltyard.stores.sqlite.leases import Leases
from tiltyard.stores.sqlite.log import Log
from tiltyard.stores.sqlite.queries import Queries
from tiltyard.stores.sqlite.summaries import Summaries


class SqliteStore(History, Log, Followers, Queries, Summaries, Leases):
    """All of ``Store`` in one file; several processes may open it together.

    Args:
        url: ``sqlite:///relative.db`` or ``sqlite:////absolute.db``.
    """
