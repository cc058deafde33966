"""What is in the images that people, runs and models get."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tiltyard.containers.images import ImagesLock, read_lock
from tiltyard.containers.packages import package_list

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
MB = 10**6
PINNED = re.compile(r"^([a-z0-9.-]+)==(\S+)(?: ;| \\)", re.MULTILINE)
TRAIN = """
import base64, io, sys, warnings, joblib
from sklearn.ensemble import RandomForestRegressor
model = RandomForestRegressor(n_estimators=3, random_state=0).fit([[0.0], [1.0], [2.0]], [0, 1, 2])
file = io.BytesIO()
joblib.dump(model, file)
print(base64.b64encode(file.getvalue()).decode(), *model.predict([[0.2], [1.9]]))
"""
SCORE = """
import base64, io, os, warnings, joblib
warnings.simplefilter("error")
model = joblib.load(io.BytesIO(base64.b64decode(os.environ["MODEL"])))
print(*model.predict([[0.2], [1.9]]))
"""


class Images:
    """The recorded images, and what commands say in them."""

    def __init__(self, lock: ImagesLock) -> None:
        self.lock = lock
        self.client = docker.from_env()

    def say(self, name: str, *command: str, **options: Any) -> str:
        """Run a command in a new container; return what it prints."""
        said: bytes = self.client.containers.run(
            self.lock.current(name).id,
            command[1:],
            entrypoint=[command[0]],
            **{"remove": True, "network_mode": "none", **options},
        )
        return said.decode().strip()

    def packages(self, name: str) -> dict[str, dict[str, str]]:
        """Return the versions of packages by kind and name."""
        listing = json.loads(package_list(self.client, self.lock.current(name).id))
        assert listing["bomFormat"] == "CycloneDX"
        found: dict[str, dict[str, str]] = {"deb": {}, "pypi": {}}
        for one in listing["components"]:
            kind = one["purl"].removeprefix("pkg:").partition("/")[0]
            found[kind][one["name"]] = one["version"]
        return found


@pytest.fixture(scope="module")
def images(images_lock: Path) -> Iterator[Images]:
    """Return the images of the tests."""
    every = Images(read_lock(images_lock))
    yield every
    every.client.close()


@pytest.mark.parametrize(
    ("name", "most"),
    [("scorer-python", 600), ("scorer-r", 600), ("lab-python", 1200), ("lab-r", 1200)],
)
def test_images_are_small(images: Images, name: str, most: int) -> None:
    """As Docker counts them."""
    image = images.client.images.get(images.lock.current(name).id)
    assert image.attrs["Size"] <= most * MB


@pytest.mark.parametrize("name", ["base", "scorer-python", "scorer-r", "lab-python", "lab-r"])
def test_nobody_is_root_or_becomes_it(images: Images, name: str) -> None:
    """No user has rights, and no file gives any."""
    assert images.say(name, "id", "-u") == "10001"
    assert images.say(name, "id", "-g") == "10001"
    rights = "find / -xdev -type f -perm /6000; grep -c ^yard: /etc/passwd"
    assert images.say(name, "sh", "-c", rights, user="root") == "1"
    image = images.client.images.get(images.lock.current(name).id)
    assert image.labels["org.opencontainers.image.revision"] == images.lock.sets[-1].revision
    assert image.labels["tiltyard.image.resolution"] == images.lock.sets[-1].resolution


@pytest.mark.parametrize("name", ["scorer-python", "scorer-r"])
def test_a_scorer_can_neither_compile_nor_install(images: Images, name: str) -> None:
    """Nor does it have what could fetch something."""
    programs = (
        "cc",
        "gcc",
        "g++",
        "c++",
        "clang",
        "as",
        "ld",
        "make",
        "pip",
        "curl",
        "wget",
        "git",
    )
    look = "; ".join(f"command -v {program}" for program in programs)
    assert images.say(name, "sh", "-c", f"{look}; true") == ""
    assert images.say(name, "sh", "-c", "python -m pip 2>&1 || true").endswith(
        "No module named pip"
    )


@pytest.mark.parametrize("name", ["scorer-python", "scorer-r", "lab-python", "lab-r"])
def test_packages_are_those_of_the_lock_file(images: Images, name: str) -> None:
    """The list inside names them, beside those of Debian, by which scanners look them up."""
    locked = dict(
        PINNED.findall((ROOT / "spawner_images" / name / "requirements.lock").read_text())
    )
    found = images.packages(name)
    own = found["pypi"].pop("tiltyard")
    assert own
    assert {n.replace(".", "-"): v for n, v in locked.items()}.items() >= found["pypi"].items()
    assert {"numpy", "uvicorn"} <= found["pypi"].keys()
    assert ("scikit-learn" in found["pypi"]) == (name != "scorer-r") == ("pandas" in found["pypi"])
    assert {"libc6", "python3", "openssl"} <= found["deb"].keys()
    assert ("r-cran-ranger" in found["deb"]) == name.endswith("-r")


@pytest.mark.parametrize("language", ["python", "r"])
def test_lab_and_scorer_are_of_one_resolution(images: Images, language: str) -> None:
    """The scorer's packages are the lab's, to the very layers."""
    names = (f"scorer-{language}", f"lab-{language}")
    scorer, lab = (images.packages(name) for name in names)
    assert scorer["pypi"].items() <= lab["pypi"].items()
    assert scorer["deb"].items() <= lab["deb"].items()
    first, second = (
        images.client.images.get(images.lock.current(name).id).attrs["RootFS"]["Layers"]
        for name in names
    )
    shared = [a for a, b in zip(first, second, strict=False) if a == b]
    assert len(shared) == len(first) - 2  # all but the project itself and the list


def test_a_model_of_the_lab_loads_in_the_scorer(images: Images) -> None:
    """And predicts the same, without a warning of other versions."""
    model, *trained = images.say("lab-python", "python", "-c", TRAIN).split()
    assert base64.b64decode(model)
    scored = images.say("scorer-python", "python", "-c", SCORE, environment={"MODEL": model})
    assert scored.split() == trained


def test_what_people_and_runs_need_is_in_the_lab(images: Images) -> None:
    """JupyterLab for the hub, papermill's kernel, ONNX, charts."""
    imports = (
        "import jupyterlab, ipykernel, papermill, matplotlib, onnx, pyarrow.parquet, "
        "tiltyard.packaging, tiltyard.training.notebook; print(1)"
    )
    assert images.say("lab-python", "python", "-W", "ignore", "-c", imports).endswith("1")
    assert "python3" in images.say("lab-python", "jupyter", "kernelspec", "list")
    programs = ("git", "start-lab", "jupyterhub-singleuser", "tiltyard")
    look = "; ".join(f"command -v {program}" for program in programs)
    assert len(images.say("lab-python", "sh", "-c", look).split()) == len(programs)


def test_what_rs_people_and_runs_need_is_in_their_lab(images: Images) -> None:
    """R's kernel and package, JupyterLab, papermill; R finds its Python."""
    imports = (
        "import jupyterlab, papermill, tiltyard.packaging.r.logging, tiltyard.training.notebook; "
        "print(1)"
    )
    assert images.say("lab-r", "python", "-W", "ignore", "-c", imports).endswith("1")
    kernels = "HOME=/tmp jupyter kernelspec list && command -v git start-lab jupyterhub-singleuser"
    assert "share/jupyter/kernels/ir" in images.say("lab-r", "sh", "-c", kernels)
    asked = "library(tiltyard); tryCatch(read_lake('DROP x'), tiltyard_invalid_input = print)"
    assert "read-only" in images.say("lab-r", "Rscript", "-e", asked)


@pytest.mark.parametrize("name", ["base", "scorer-python", "scorer-r", "lab-python", "lab-r"])
def test_nothing_of_the_build_is_left(images: Images, name: str) -> None:
    """No mirror, no certificate, no cache, no source."""
    left = "find /tmp /root /src /var/lib/apt/lists /var/cache/apt /var/log -type f 2>&1 || true"
    said = images.say(name, "sh", "-c", left, user="root").split("\n")
    usual = ("/.bashrc", "/.profile", "No such file or directory")
    assert [one for one in said if not one.endswith(usual)] == []
    image = images.client.images.get(images.lock.current(name).id)
    assert not re.search(r"(?i)proxy|https?://", str(image.history()) + str(image.attrs["Config"]))


def test_start_lab_gives_each_pipeline_once(images: Images) -> None:
    """What a user has changed stays."""
    script = (
        "mkdir -p $HOME/pipelines/own && echo mine >$HOME/pipelines/own/a && "
        "start-lab --version >/dev/null && ls $HOME/pipelines && cat $HOME/pipelines/own/a"
    )
    mounts = {str(ROOT / "pipelines"): {"bind": "/opt/tiltyard/pipelines", "mode": "ro"}}
    said = images.say("lab-python", "sh", "-c", script, volumes=mounts).split()
    given = {path.name for path in (ROOT / "pipelines").iterdir() if path.is_dir()}
    assert set(said) == {*given, "own", "mine"}
