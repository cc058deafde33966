"""A transformer's function that kills the process it is in; code of a test's version."""

import os
from typing import Any


def stumble(frame: Any) -> Any:
    """Return the frame, unless its first column holds 666 (the process ends) or 13 (it raises)."""
    first = frame.iloc[:, 0] if hasattr(frame, "iloc") else frame[:, 0]
    if (first == 666).any():
        os._exit(9)
    if (first == 13).any():
        raise ValueError("13 brings bad luck")
    return frame
