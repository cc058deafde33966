"""Which place this installation executes notebooks in."""

from tiltyard.containers.ending import end_all
from tiltyard.containers.labels import Role
from tiltyard.settings import Settings
from tiltyard.training.container import ContainerPlace
from tiltyard.training.pipelines import PYTHON
from tiltyard.training.place import Place
from tiltyard.training.process import ProcessPlace
from tiltyard.training.processes import kill_all
from tiltyard.training.r_process import RProcessPlace


def place_of(settings: Settings, language: str = PYTHON) -> Place:
    """Return the place that `runtime` names, for notebooks of a language.

    Raises:
        TiltyardError: nothing can be executed there, saying what to do.
    """
    if settings.runtime == "docker":
        return ContainerPlace(settings, language)
    return ProcessPlace(settings) if language == PYTHON else RProcessPlace(settings)


def end_left_over(settings: Settings) -> None:
    """End what runs of an earlier runner have left running.

    Raises:
        TiltyardError: containers cannot be looked for now.
    """
    kill_all(settings.path("runs"))
    if settings.runtime == "docker":
        end_all(settings, Role.RUN, grace_s=0)
