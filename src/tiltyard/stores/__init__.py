"""Where history, live log, predictions, actuals and summaries are kept."""

from tiltyard.stores.open import open_store

__all__ = ["open_store"]
