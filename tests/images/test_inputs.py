"""What a build takes of its surroundings."""

from pathlib import Path

import pytest

from tiltyard.containers import inputs
from tiltyard.containers.inputs import Inputs, gather
from tiltyard.errors import InvalidInputError


@pytest.fixture(autouse=True)
def no_configuration_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pip has no files here."""
    monkeypatch.setattr(inputs, "PIP_FILES", ())


def texts(given: Inputs) -> dict[str, str]:
    """Return what the build's secrets hold."""
    with given.secrets() as secrets:
        return {name: path.read_text() for name, path in secrets.items()}


def test_without_anything_there_is_nothing() -> None:
    """The build asks what pip and apt ask by default."""
    given = gather(environ={})
    assert given == Inputs()
    assert texts(given) == {}
    assert given.network is None


def test_pip_is_asked_as_here(tmp_path: Path) -> None:
    """The environment goes before the file; folders of this machine stay out."""
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://file.example/simple\ncert = /here/only.pem\n"
        "find-links = /wheels https://links.example/\n[install]\nretries = 7\n"
    )
    environ = {"PIP_CONFIG_FILE": str(config), "PIP_EXTRA_INDEX_URL": "https://more.example"}
    assert dict(gather(environ=environ).pip) == {
        "index-url": "https://file.example/simple",
        "extra-index-url": "https://more.example",
        "find-links": "https://links.example/",
        "retries": "7",
    }
    environ["PIP_INDEX_URL"] = "https://me:secret@index.example/simple"
    secret = texts(gather(environ=environ))["pip"]
    assert "index-url = https://me:secret@index.example/simple" in secret.splitlines()


def test_a_given_configuration_of_pip_is_the_only_one(tmp_path: Path) -> None:
    """Values on several lines become one."""
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nextra-index-url =\n  https://a.example\n  https://b.example\n")
    given = gather(pip_config=config, environ={"PIP_INDEX_URL": "https://index.example"})
    assert texts(given)["pip"].splitlines() == [
        "[global]",
        "extra-index-url = https://a.example https://b.example",
    ]


def test_npm_is_asked_as_here(tmp_path: Path) -> None:
    """Its registry, and who asks it; paths of this machine stay out."""
    config = tmp_path / "npmrc"
    config.write_text("cafile=/etc/ca.pem\n//npm.example/:_authToken=secret\n@own:registry=x\n")
    environ = {"NPM_CONFIG_USERCONFIG": str(config), "npm_config_registry": "https://npm.example/"}
    assert texts(gather(environ=environ))["npm"].splitlines() == [
        "//npm.example/:_authToken=secret",
        "@own:registry=x",
        "registry=https://npm.example/",
    ]
    assert gather(environ={"npm_config_registry": "http://127.0.0.1:4873/"}).network == "host"


@pytest.mark.parametrize("name", inputs.CA_VARIABLES)
def test_certificates_are_those_of_pip_and_curl(tmp_path: Path, name: str) -> None:
    """Unless others are given."""
    usual, other = tmp_path / "usual.pem", tmp_path / "other.pem"
    usual.write_text("usual")
    other.write_text("other")
    assert texts(gather(environ={name: str(usual)})) == {"ca": "usual"}
    assert texts(gather(ca=other, environ={name: str(usual)})) == {"ca": "other"}


def test_a_mirror_is_asked_by_apt_and_debootstrap() -> None:
    """Sources of one's own go before it, for apt."""
    given = gather(mirror="http://mirror.example/debian", environ={})
    assert texts(given) == {"sources": "deb http://mirror.example/debian trixie main\n"}
    assert given.mirror == "http://mirror.example/debian"


def test_sources_of_apt_are_taken_as_they_are(tmp_path: Path) -> None:
    """In either of apt's forms."""
    sources = tmp_path / "company.sources"
    sources.write_text("Types: deb\nURIs: https://apt.example\nSuites: trixie\nComponents: main\n")
    assert texts(gather(apt_sources=sources, environ={})) == {"sources": sources.read_text()}


def test_a_proxy_is_the_environments_or_the_one_given() -> None:
    """In both spellings, as programs disagree."""
    environ = {"https_proxy": "http://env.example:3128", "NO_PROXY": ".example"}
    found = gather(environ=environ).proxies
    assert found["HTTPS_PROXY"] == found["https_proxy"] == "http://env.example:3128"
    assert "HTTP_PROXY" not in found
    given = gather(proxy="http://p.example", environ=environ).proxies
    assert given["HTTP_PROXY"] == given["https_proxy"] == "http://p.example"
    assert given["no_proxy"] == ".example"


@pytest.mark.parametrize(
    ("environ", "network"),
    [
        ({"PIP_INDEX_URL": "http://127.0.0.1:3141/simple"}, "host"),
        ({"HTTP_PROXY": "http://localhost:3128"}, "host"),
        ({"PIP_INDEX_URL": "https://me:x@[::1]:3141/simple"}, "host"),
        ({"PIP_INDEX_URL": "https://index.example/127.0.0.1"}, None),
    ],
)
def test_what_listens_only_on_this_host_is_reached(
    environ: dict[str, str], network: str | None
) -> None:
    """A build's own network would not."""
    assert gather(environ=environ).network == network


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the option or the variable that names it."""
    absent = tmp_path / "absent"
    with pytest.raises(InvalidInputError, match="--ca names"):
        gather(ca=absent, environ={})
    with pytest.raises(InvalidInputError, match="PIP_CERT names"):
        gather(environ={"PIP_CERT": str(absent)})
    with pytest.raises(InvalidInputError, match="--pip-config names"):
        gather(pip_config=absent, environ={})
    with pytest.raises(InvalidInputError, match="--apt-sources names"):
        gather(apt_sources=absent, environ={})
    broken = tmp_path / "broken"
    broken.write_text("index-url = x\n")
    with pytest.raises(InvalidInputError, match="pip's configuration"):
        gather(pip_config=broken, environ={})
