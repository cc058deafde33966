"""Log lines of the hub that say nothing."""

import logging


class _Discarded(logging.Filter):
    """A server's token carries every role, and counts for those that its owner has now."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith("discarding scopes")


def quiet_logs() -> None:
    """Leave out the line that every use of a server's token would write."""
    logging.getLogger("tornado.application").addFilter(_Discarded())
