"""What the estimators derive from the columns that applications send."""

import numpy as np
import pandas as pd


def with_clock(rides: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with a column ``clock``: ``work 08``, ``free 23`` and so on.

    Args:
        rides: with ``hour`` (aware UTC, the local hour of Washington by name) and ``workingday``.
    """
    day = np.where(rides["workingday"] == 1, "work ", "free ")
    clock = pd.to_datetime(rides["hour"], utc=True).dt.strftime("%H")
    return rides.assign(clock=day + clock.astype(str).to_numpy(dtype=object))
