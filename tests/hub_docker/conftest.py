"""The images that people's servers are made from."""

from support.images import images_lock

__all__ = ["images_lock"]
