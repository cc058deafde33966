"""Building at the real engine: small images, all that can go wrong."""

from pathlib import Path

import pytest

from support.small_images import BASE, NEXT, SmallImages
from tiltyard.containers.engine import connect
from tiltyard.containers.images import read_lock
from tiltyard.containers.inputs import Inputs
from tiltyard.errors import InvalidInputError, TiltyardError, UnavailableError
from tiltyard.settings import load_settings

pytestmark = pytest.mark.slow


def test_what_was_built_is_recorded(small_images: SmallImages) -> None:
    """By id, with a name of its own that no later build takes away; a rebuild changes nothing."""
    lock = small_images.build()
    assert set(lock.sets[-1].images) == {"base", "scorer-python", "lab-python"}
    for image in lock.every():
        found = small_images.client.images.get(image.tag)
        assert found.id == image.id
        assert found.attrs["Size"] == image.size_bytes
        labels = found.labels
        assert labels["org.opencontainers.image.title"] == f"{small_images.name}/{image.name}"
        assert labels["org.opencontainers.image.revision"] == lock.sets[-1].revision
        assert labels["tiltyard.image.resolution"] == lock.sets[-1].resolution
    assert any("lab-python: " in line and "echo one" in line for line in small_images.told)
    log = small_images.settings.path("logs", "images-lab-python.log")
    assert "echo one" in log.read_text()
    before = small_images.settings.images_lock.read_bytes()
    assert small_images.build() == lock
    assert small_images.settings.images_lock.read_bytes() == before


def test_older_sets_are_kept(small_images: SmallImages) -> None:
    """With their images, whatever is built later."""
    first = small_images.build().sets[0]
    for image in ("scorer-python", "lab-python"):
        small_images.write(image, "Dockerfile", NEXT.replace("one", "two"))
        small_images.write(image, "requirements.lock", "two\n")
    lock = small_images.build()
    assert lock.sets[0] == first
    assert lock.sets[1].resolution != first.resolution
    assert small_images.text("lab-python", "/tmp/next") == "two\n"  # noqa: S108  in the image
    old = first.images["lab-python"]
    assert small_images.client.images.get(old.tag).id == old.id
    assert lock.scorer_for(old.id, "python") == first.images["scorer-python"]


def test_a_part_stands_on_the_recorded_base(small_images: SmallImages) -> None:
    """Only what is named is built; half of a pair of other lock files is refused beforehand."""
    first = small_images.build()
    small_images.told.clear()
    small_images.write("scorer-python", "Dockerfile", NEXT.replace("one", "two"))
    lock = small_images.build("scorer-python")
    assert not any(line.startswith(("base", "lab")) for line in small_images.told)
    assert lock.current("scorer-python") != first.current("scorer-python")
    assert lock.sets[-1].images["lab-python"] == first.current("lab-python")
    small_images.write("lab-python", "requirements.lock", "two\n")
    with pytest.raises(InvalidInputError, match="lock files have changed"):
        small_images.build("scorer-python")
    assert small_images.lock() == lock


@pytest.mark.parametrize(
    ("step", "advice"),
    [
        ("dd if=/dev/zero of=/dev/shm/full bs=1M count=100", "The disk of the Docker Engine"),
        ("echo ERROR: THESE PACKAGES DO NOT MATCH THE HASHES; false", "lock files pin"),
        ("echo ERROR: No matching distribution found for x; false", "--pip-config"),
        ("echo SSL: CERTIFICATE_VERIFY_FAILED; false", "--ca FILE"),
        ("echo error: that is not it >&2; false", "error: that is not it"),
    ],
    ids=["disk", "hashes", "index", "certificate", "other"],
)
def test_a_failed_step_records_nothing(small_images: SmallImages, step: str, advice: str) -> None:
    """The sentence says which step failed, why, where the log is and what to do."""
    small_images.write("base", "Dockerfile", f"ARG BASE\nFROM ${{BASE}}\nRUN {step}\n")
    with pytest.raises(TiltyardError) as failed:
        small_images.build()
    message = failed.value.message
    assert "Image base was not built, and nothing is recorded" in message
    assert advice in message
    log = small_images.settings.path("logs", "images-base.log")
    assert str(log) in message
    assert step.split(maxsplit=1)[0] in log.read_text()
    assert not small_images.settings.images_lock.exists()


def test_a_base_that_is_nowhere_is_named(small_images: SmallImages) -> None:
    """And both ways to another one."""
    with pytest.raises(UnavailableError, match=r"absent/debian:13.*--base.*--from-debian"):
        small_images.build(base="127.0.0.1:9/absent/debian:13")
    assert not small_images.settings.images_lock.exists()


def test_a_fresh_build_takes_nothing_from_earlier_ones(small_images: SmallImages) -> None:
    """A base that cannot be had anew is the one that is here, and it says so."""
    first = small_images.build().current("base")
    small_images.told.clear()
    assert small_images.build("base", fresh=True).current("base").id != first.id
    assert any("cannot be pulled, so the" in line for line in small_images.told)


def test_a_broken_dockerfile_is_told(small_images: SmallImages) -> None:
    """A build that never began has no step."""
    small_images.write("base", "Dockerfile", f"{BASE}NONSENSE\n")
    with pytest.raises(TiltyardError, match=r"(?i)base was not built.*nonsense"):
        small_images.build()


def test_without_an_engine_nothing_is_built(small_images: SmallImages) -> None:
    """The sentence says how to start it."""
    away = load_settings(docker={"url": "tcp://127.0.0.1:9"})
    with pytest.raises(UnavailableError, match="does not answer: start it"):
        connect(away)
    small_images.settings = small_images.settings.model_copy(update={"docker": away.docker})
    with pytest.raises(UnavailableError, match="does not answer: start it"):
        small_images.build()


def test_inputs_reach_the_build_and_stay_out_of_the_image(
    small_images: SmallImages, tmp_path: Path
) -> None:
    """Apt asks the given sources, pip the given index, with the given certificates."""
    ca = tmp_path / "ca.pem"
    ca.write_text("-----a company's-----\n")
    small_images.write(
        "base",
        "Dockerfile",
        "ARG BASE\nFROM ${BASE}\nUSER root\n"
        "RUN --mount=type=secret,id=ca --mount=type=secret,id=pip --mount=type=secret,id=sources"
        " --mount=type=tmpfs,target=/tmp . /usr/local/lib/tiltyard/inputs.sh && mkdir /seen"
        " && apt-get $apt_options -o Acquire::Retries=0 update 2>&1"
        " | grep -o 'http:[^ ]*/dists' | sort -u >/seen/apt"
        " && cat $PIP_CONFIG_FILE >/seen/pip && head -n 1 $PIP_CERT >/seen/ca"
        " && echo $https_proxy >/seen/proxy\n",
    )
    inputs = Inputs(
        ca=ca,
        pip={"index-url": "https://me:secret@index.example/simple"},
        sources="Types: deb\nURIs: http://127.0.0.1:9/mine\nSuites: trixie\nComponents: main\n",
        proxies={"https_proxy": "http://proxy.example:3128"},
    )
    small_images.build(inputs=inputs)
    assert small_images.text("base", "/seen/apt") == "http://127.0.0.1:9/mine/dists\n"
    assert "index-url = https://me:secret@index.example/simple" in small_images.text(
        "base", "/seen/pip"
    )
    assert small_images.text("base", "/seen/ca") == ca.read_text()
    assert small_images.text("base", "/seen/proxy") == "http://proxy.example:3128\n"
    image = small_images.client.images.get(small_images.lock().current("base").id)
    kept = str(image.history()) + str(image.attrs)
    assert "proxy.example" not in kept
    assert "secret@" not in kept
    left = small_images.client.containers.run(
        image.id, ["sh", "-c", "ls -A /tmp /run/secrets"], remove=True, network_mode="none"
    )
    assert left.decode().split() == ["/run/secrets:", "/tmp:"]  # noqa: S108  in the image


def test_the_record_of_the_tests_is_whole(images_lock: Path) -> None:
    """It has what other tests start containers from."""
    lock = read_lock(images_lock)
    assert {"base", "lab-python", "scorer-python"} <= set(lock.sets[-1].images)
