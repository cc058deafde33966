"""The page on which people choose the image of their server."""

import asyncio
import logging
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from tiltyard.containers.engine import connect, translated
from tiltyard.containers.images import RecordedImage
from tiltyard.errors import TiltyardError
from tiltyard.hub.offers import built_at, offered
from tiltyard.settings import Settings, load_settings

logger = logging.getLogger(__name__)

IMAGE = "image"
"""The form's field, and the name of the option that the hub remembers."""

_TEMPLATES = Path(__file__).with_name("pages")
_DESCRIPTION = "org.opencontainers.image.description"
_GB = 1e9
_PATIENCE_S = 3


async def options_page(spawner: Any) -> str:
    """Return the form's content; empty where there is nothing to choose.

    Whatever is wrong, the start itself says.
    """
    settings = load_settings()
    try:
        images = offered(settings, spawner.user.name, group_names(spawner))
    except TiltyardError as error:
        logger.warning("There are no images for %s: %s", spawner.user.name, error.message)
        return ""
    if len(images) == 1:
        return ""
    last = (spawner.orm_spawner.user_options or {}).get(IMAGE)
    chosen = last if last in {image.name for image in images} else images[0].name
    words = await asyncio.to_thread(_descriptions, settings, images)
    built = built_at(settings)
    cards = [
        {
            "name": image.name,
            "holds": words.get(image.id, ""),
            "size": f"{image.size_bytes / _GB:.1f} GB",
            "built": f"{built[image.id]:%d %B %Y}".lstrip("0"),
        }
        for image in images
    ]
    return _templates().get_template("images.html").render(cards=cards, chosen=chosen, field=IMAGE)


def options_from_form(form: dict[str, list[str]]) -> dict[str, str]:
    """Return what the hub remembers of a form."""
    return {IMAGE: form[IMAGE][0]} if form.get(IMAGE) else {}


def group_names(spawner: Any) -> set[str]:
    """Return the groups of a server's owner."""
    return {group.name for group in spawner.user.groups}


def _descriptions(settings: Settings, images: tuple[RecordedImage, ...]) -> dict[str, str]:
    """Return what each image says of itself, by id; nothing while the engine is away."""
    try:
        client = connect(settings, timeout_s=_PATIENCE_S)
        with closing(client), translated(settings):
            return {image.id: _label(client.images.get(image.id)) for image in images}
    except TiltyardError as error:
        logger.warning("The page of images says less: %s", error.message)
        return {}


def _label(image: Any) -> str:
    return str(image.labels.get(_DESCRIPTION, ""))


@cache
def _templates() -> Environment:
    return Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True)
