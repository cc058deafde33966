"""Fixtures of the images."""

from support.images import images_lock
from support.small_images import small_images

__all__ = ["images_lock", "small_images"]
