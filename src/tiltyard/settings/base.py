"""What every section of the settings shares."""

from pydantic import BaseModel, ConfigDict

LOOPBACK = "127.0.0.1"
"""What only this machine's processes call listens here."""


class Section(BaseModel):
    """A table of ``tiltyard.toml``; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
