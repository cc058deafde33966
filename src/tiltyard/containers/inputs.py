"""What a build is given of its surroundings: mirrors, an extra CA, a proxy. No image keeps them."""

import configparser
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from tiltyard.containers.npm import npm_lines
from tiltyard.errors import InvalidInputError

SUITE = "trixie"
CA_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
PIP_FILES = ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")
PIP_OPTIONS = (
    *("index-url", "extra-index-url", "no-index", "find-links", "trusted-host"),
    *("timeout", "default-timeout", "retries"),
)
"""What counts inside a build, too; files and folders of this machine are not there."""

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_LOOPBACK = ("localhost", "127.", "[::1]")


@dataclass(frozen=True)
class Inputs:
    """Where a build gets what it downloads, and by which way.

    Attributes:
        ca: file with certificates to trust beside the image's own.
        pip: pip's options.
        sources: lines of apt's sources; None leaves those of the base image.
        mirror: of Debian, for debootstrap; None is debootstrap's own.
        proxies: variables of its environment.
        npm: lines of npm's configuration, for the image of the platform.
    """

    ca: Path | None = None
    pip: Mapping[str, str] = field(default_factory=dict)
    sources: str | None = None
    mirror: str | None = None
    proxies: Mapping[str, str] = field(default_factory=dict)
    npm: str = ""

    @contextmanager
    def secrets(self) -> Iterator[dict[str, Path]]:
        """Give the files that build steps may read, by name; they end with the block."""
        with TemporaryDirectory(prefix="tiltyard-inputs-") as folder:
            files = {} if self.ca is None else {"ca": self.ca}
            if self.pip:
                lines = (f"{name} = {' '.join(v.split())}" for name, v in self.pip.items())
                files["pip"] = Path(folder, "pip.conf")
                files["pip"].write_text("\n".join(["[global]", *lines, ""]))
            if self.sources is not None:
                files["sources"] = Path(folder, "sources")
                files["sources"].write_text(self.sources)
            if self.npm:
                files["npm"] = Path(folder, "npmrc")
                files["npm"].write_text(self.npm)
            yield files

    @property
    def network(self) -> str | None:
        """The build's network: the host's own if what it asks listens only on this host."""
        asked = [self.mirror or "", self.sources or "", *self.pip.values(), *self.proxies.values()]
        asked += [line.partition("=")[2] for line in self.npm.splitlines()]
        hosts = [
            urlsplit(word).netloc.rpartition("@")[2] for text in asked for word in text.split()
        ]
        return "host" if any(host.startswith(_LOOPBACK) for host in hosts) else None


def gather(
    *,
    mirror: str | None = None,
    apt_sources: Path | None = None,
    ca: Path | None = None,
    pip_config: Path | None = None,
    proxy: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Inputs:
    """Return the inputs that were given; for the others what pip and curl would take here.

    Raises:
        InvalidInputError: a file that was given, or that the environment names, is not there.
    """
    if apt_sources is not None:
        sources: str | None = _readable(apt_sources, "--apt-sources").read_text()
    else:
        sources = f"deb {mirror} {SUITE} main\n" if mirror else None
    return Inputs(
        ca=_ca(ca, environ),
        pip=_pip(pip_config, environ),
        sources=sources,
        mirror=mirror,
        proxies=_proxies(proxy, environ),
        npm=npm_lines(environ),
    )


def _readable(path: Path, name: str) -> Path:
    if not path.is_file():
        raise InvalidInputError(f"{name} names {path}, which is no file here.")
    return path.absolute()


def _ca(given: Path | None, environ: Mapping[str, str]) -> Path | None:
    if given is not None:
        return _readable(given, "--ca")
    for name in CA_VARIABLES:
        if environ.get(name):
            return _readable(Path(environ[name]), name)
    return None


def _pip(given: Path | None, environ: Mapping[str, str]) -> dict[str, str]:
    if given is not None:
        return _remote(_options([_readable(given, "--pip-config")]))
    files = [Path(name).expanduser() for name in PIP_FILES]
    if environ.get("PIP_CONFIG_FILE"):
        files.append(Path(environ["PIP_CONFIG_FILE"]))
    options = _options(files)
    for name in PIP_OPTIONS:
        value = environ.get(f"PIP_{name.upper().replace('-', '_')}")
        if value:
            options[name] = value
    return _remote(options)


def _options(files: list[Path]) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(files)
    except (configparser.Error, UnicodeDecodeError) as error:
        raise InvalidInputError(f"pip's configuration cannot be read: {error}.") from None
    sections = [parser[name] for name in ("global", "install") if name in parser]
    return {n: section[n] for section in sections for n in PIP_OPTIONS if section.get(n)}


def _remote(options: dict[str, str]) -> dict[str, str]:
    """Leave out wheels in folders of this machine, which no build step sees."""
    links = [word for word in options.pop("find-links", "").split() if "://" in word]
    return {**options, "find-links": " ".join(links)} if links else options


def _proxies(given: str | None, environ: Mapping[str, str]) -> dict[str, str]:
    found = {n: environ.get(n) or environ.get(n.lower()) or "" for n in PROXY_VARIABLES}
    if given:
        found |= {"HTTP_PROXY": given, "HTTPS_PROXY": given}
    set_ = {name: value for name, value in found.items() if value}
    return {**set_, **{name.lower(): value for name, value in set_.items()}}
