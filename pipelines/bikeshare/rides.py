"""The hours of the bikeshare data."""

import pandas as pd

FIRST_DAY = pd.Timestamp("2011-01-01", tz="UTC")


def event_time(day: "pd.Series[int]", hour: "pd.Series[int]") -> "pd.Series[pd.Timestamp]":
    """Return the instant of each row.

    The data has local hours without a zone; they are kept as UTC, so that each is there once.

    Args:
        day: of the year 2011, from 1.
        hour: 0 to 23.
    """
    days = pd.to_timedelta(day - 1, unit="D")
    return FIRST_DAY + days + pd.to_timedelta(hour, unit="h")
