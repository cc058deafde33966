"""Histories over HTTP."""

import pandas as pd

from support.control import Control, bikes_frame, write_bikes
from tiltyard.client.frames import to_frame


def test_a_history_comes_back_exactly(control: Control) -> None:
    """What was written is read again, categories and missing values included."""
    digest = write_bikes(control)
    frame = to_frame(control.client("scientist").read_history("bikes", digest))
    pd.testing.assert_frame_equal(frame, bikes_frame(), check_freq=False)
