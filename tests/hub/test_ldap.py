"""Login by a directory: Debian's slapd, started here."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.hub import HubSite, Visitor, free_port, wait_for

pytestmark = pytest.mark.slow

SUFFIX = "dc=example,dc=com"
ROOT = f"cn=root,{SUFFIX}"
ROOT_PASSWORD = "the directory's root"

CONFIG = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
database mdb
suffix "{suffix}"
rootdn "{root}"
rootpw "{password}"
directory {folder}/data
access to attrs=userPassword by anonymous auth by * none
access to * by dn="cn=reader,{suffix}" read by self read by * auth
"""

PEOPLE = """\
dn: {suffix}
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,{suffix}
objectClass: organizationalUnit
ou: people

dn: ou=groups,{suffix}
objectClass: organizationalUnit
ou: groups

dn: cn=reader,{suffix}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: the reader's

dn: uid=ann,ou=people,{suffix}
objectClass: inetOrgPerson
uid: ann
cn: Ann
sn: Miller
userPassword: ann's at the company

dn: uid=stranger,ou=people,{suffix}
objectClass: inetOrgPerson
uid: stranger
cn: Stranger
sn: Nobody
userPassword: a stranger's

dn: cn=scientists,ou=groups,{suffix}
objectClass: groupOfNames
cn: scientists
member: uid=ann,ou=people,{suffix}

dn: cn=rentals,ou=groups,{suffix}
objectClass: groupOfNames
cn: rentals
member: uid=ann,ou=people,{suffix}
"""


class Slapd:
    """The directory's process."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._url = f"ldap://127.0.0.1:{self.port}/"
        (folder / "data").mkdir()
        values = {"folder": folder, "suffix": SUFFIX, "root": ROOT, "password": ROOT_PASSWORD}
        (folder / "slapd.conf").write_text(CONFIG.format(**values))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        program = shutil.which("slapd", path="/usr/sbin:/usr/bin")
        if program is None:
            pytest.fail("slapd is needed: apt-get install slapd ldap-utils")
        with (self._folder / "slapd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "KILL", program, "-d", "0"),
                    *("-h", self._url, "-f", str(self._folder / "slapd.conf")),
                ],
                stdout=log,
                stderr=log,
            )
        wait_for(lambda: self._run("ldapwhoami", "") == 0, 30, self.logs)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def change(self, ldif: str, *options: str) -> None:
        """Change entries, or add them with ``-a``."""
        assert self._run("ldapmodify", ldif.format(suffix=SUFFIX), *options) == 0, self.logs()

    def logs(self) -> str:
        """Return what it wrote."""
        return (self._folder / "slapd.log").read_text()

    def _run(self, program: str, text: str, *options: str) -> int:
        command = [program, "-x", "-H", self._url, "-D", ROOT, "-w", ROOT_PASSWORD, *options]
        with (self._folder / "slapd.log").open("ab") as log:
            return subprocess.run(
                command, input=text.encode(), stdout=log, stderr=log, check=False
            ).returncode


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    """Give a directory with ann, who is a scientist, and a stranger."""
    directory = Slapd(tmp_path_factory.mktemp("slapd"))
    directory.start()
    try:
        directory.change(PEOPLE, "-a")
        yield directory
    finally:
        directory.stop()


@pytest.fixture(scope="module")
def hub(slapd: Slapd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubSite]:
    """Give a hub that asks the directory, and reads groups again with a reading account."""
    folder = tmp_path_factory.mktemp("ldap")
    (folder / "password").write_text("the reader's\n")
    (folder / "tiltyard.toml").write_text(
        '[hub]\nauthenticator = "ldap"\nrefresh_s = 1\n'
        f'[ldap]\nhost = "127.0.0.1"\nport = {slapd.port}\ntls = "insecure"\n'
        f'user_base = "ou=people,{SUFFIX}"\ngroup_base = "ou=groups,{SUFFIX}"\n'
        f'search_dn = "cn=reader,{SUFFIX}"\nsearch_password_file = "{folder / "password"}"\n'
    )
    with HubSite(folder) as site:
        yield site


@pytest.mark.parametrize(
    ("name", "password"),
    [("ann", "wrong"), ("ann", ""), ("nobody", "x"), ("*", "x"), ("ann)(uid=*", "x")],
)
def test_a_wrong_login_is_refused(hub: HubSite, name: str, password: str) -> None:
    """Wrong and empty passwords, unknown names, names that would change the search."""
    with Visitor(hub.url) as visitor:
        page = visitor.login(name, password)
        assert page.status_code == 403
        assert "Invalid username or password" in page.text


def test_the_directorys_groups_are_the_hubs(hub: HubSite, slapd: Slapd) -> None:
    """A login gives role and teams; a change in the directory is felt at the next look."""
    with Visitor(hub.url) as ann:
        ann.http.follow_redirects = False
        assert ann.login("ann", "ann's at the company").status_code == 302
    assert hub.user("ann")["groups"] == ["rentals", "scientists"]
    slapd.change(
        "dn: cn=promoters,ou=groups,{suffix}\nobjectClass: groupOfNames\ncn: promoters\n"
        "member: uid=ann,ou=people,{suffix}\n",
        "-a",
    )
    slapd.change("dn: cn=rentals,ou=groups,{suffix}\nchangetype: delete\n")
    wait_for(lambda: hub.user("ann")["groups"] == ["promoters", "scientists"], 30, hub.logs)


def test_a_right_login_without_a_role_is_told_so(hub: HubSite) -> None:
    """The page names the groups that count."""
    with Visitor(hub.url) as visitor:
        page = visitor.login("stranger", "a stranger's")
    assert page.status_code == 403
    assert "scientists" in page.text
    assert "role" in page.text


def test_a_directory_that_is_away_is_said(hub: HubSite, slapd: Slapd) -> None:
    """The login page says so; who is there keeps the groups that were read last."""
    groups = hub.user("ann")["groups"]
    slapd.stop()
    try:
        with Visitor(hub.url) as visitor:
            page = visitor.login("ann", "ann's at the company")
            assert "does not answer" in page.text
        assert hub.user("ann")["groups"] == groups
    finally:
        slapd.start()


def test_who_left_the_directory_has_no_group(hub: HubSite, slapd: Slapd) -> None:
    """At the next look."""
    slapd.change("dn: uid=ann,ou=people,{suffix}\nchangetype: delete\n")
    wait_for(lambda: hub.user("ann")["groups"] == [], 30, hub.logs)
