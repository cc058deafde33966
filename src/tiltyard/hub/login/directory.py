"""Login by an LDAP directory."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ldap3
from ldap3.core.exceptions import LDAPBindError, LDAPException
from ldap3.utils.conv import escape_filter_chars
from ldap3.utils.dn import escape_rdn
from ldapauthenticator import LDAPAuthenticator
from ldapauthenticator.ldapauthenticator import TlsStrategy
from tornado import web

from tiltyard.errors import InvalidInputError
from tiltyard.hub.login.base import USERNAME_PATTERN, SiteLogin, needed
from tiltyard.settings import LdapSettings, Settings, load_settings

_TIMEOUT_S = 10.0


class Directory(SiteLogin, LDAPAuthenticator):
    """LDAPAuthenticator that hands the directory's groups to the hub."""

    async def authenticate(self, handler: Any, data: dict[str, str]) -> dict[str, Any] | None:
        """Return the user's name and groups if the directory takes the password, else None.

        Raises:
            HTTPError: 503 with a sentence when the directory does not answer.
        """
        asked = LDAPAuthenticator.authenticate(self, handler, data)
        try:
            # It waits for the directory without giving way to others.
            found = await _in_thread(asyncio.run, asked)
        except self.unreachable() as error:
            self.log.error("The directory does not answer: %s", error)  # noqa: TRY400  one line
            raise web.HTTPError(
                503, "The directory that checks logins does not answer: try again later."
            ) from None
        if found is None:
            return None
        return {"name": found["name"], "groups": found["auth_state"]["user_attributes"]["groups"]}

    def get_user_attributes(self, conn: Any, userdn: str) -> dict[str, Any]:
        """Read the groups, with the reading account if there is one, else as the user."""
        ldap = load_settings().ldap
        if not ldap.search_dn:
            return {"groups": find_groups(conn, ldap, userdn)}
        with self._reader() as reader:
            return {"groups": find_groups(reader, ldap, userdn)}

    async def read_again(self, user: Any, handler: Any) -> Any:
        """Read the groups with the reading account, or anonymously."""
        return await _in_thread(self._read_again, user.name)

    def unreachable(self) -> tuple[type[Exception], ...]:
        """Return the errors that mean that the directory does not answer."""
        return (OSError, LDAPException)

    def _read_again(self, name: str) -> dict[str, Any] | bool:
        ldap = load_settings().ldap
        with self._reader() as conn:
            dn = _find_dn(conn, ldap, name)
            return {"groups": find_groups(conn, ldap, dn) if dn else []}

    def _reader(self) -> Any:
        conn = self.get_connection(self.lookup_dn_search_user, self.lookup_dn_search_password)
        if conn is None:
            raise LDAPBindError("the reading account ldap.search_dn is refused")
        return conn


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.wait_for(asyncio.to_thread(function, *arguments), _TIMEOUT_S)


def find_groups(conn: Any, ldap: LdapSettings, dn: str) -> list[str]:
    """Return the names of the groups that hold a user, in order."""
    wanted = ldap.group_filter.format(
        userdn=escape_filter_chars(dn), username=escape_filter_chars(_name_in(dn))
    )
    conn.search(
        search_base=ldap.group_base,
        search_filter=wanted,
        search_scope=ldap3.SUBTREE,
        attributes=[ldap.group_attribute],
    )
    return sorted(str(e[ldap.group_attribute].value) for e in conn.entries)


def configure_login(c: Any, settings: Settings) -> None:
    """Fill the configuration of the directory's login.

    Raises:
        InvalidInputError: a setting is missing, or a file cannot be read.
    """
    ldap = settings.ldap
    needed("ldap", ldap, "host", "group_base")
    c.JupyterHub.authenticator_class = Directory
    c.Authenticator.manage_groups = True
    c.LDAPAuthenticator.server_address = ldap.host
    c.LDAPAuthenticator.valid_username_regex = f"(?i){USERNAME_PATTERN}"
    c.LDAPAuthenticator.tls_strategy = TlsStrategy[ldap.tls]
    if ldap.port:
        c.LDAPAuthenticator.server_port = ldap.port
    if ldap.ca_file:
        c.LDAPAuthenticator.tls_kwargs = {"ca_certs_file": ldap.ca_file}
    if ldap.search_dn:
        needed("ldap", ldap, "search_password_file")
        c.LDAPAuthenticator.lookup_dn_search_user = ldap.search_dn
        c.LDAPAuthenticator.lookup_dn_search_password = _password(ldap)
    if ldap.user_dn:
        c.LDAPAuthenticator.bind_dn_template = [ldap.user_dn]
        return
    needed("ldap", ldap, "user_base")
    c.LDAPAuthenticator.lookup_dn = True
    c.LDAPAuthenticator.user_search_base = ldap.user_base
    c.LDAPAuthenticator.user_attribute = ldap.user_attribute
    c.LDAPAuthenticator.lookup_dn_user_dn_attribute = ldap.user_attribute


def _find_dn(conn: Any, ldap: LdapSettings, name: str) -> str | None:
    """Return a user's DN; None when the directory does not hold it any more."""
    if ldap.user_dn:
        dn = ldap.user_dn.format(username=escape_rdn(name))
        there = conn.search(dn, "(objectClass=*)", search_scope=ldap3.BASE)
        return dn if there else None
    wanted = f"({ldap.user_attribute}={escape_filter_chars(name)})"
    conn.search(ldap.user_base, wanted, search_scope=ldap3.SUBTREE)
    return conn.entries[0].entry_dn if len(conn.entries) == 1 else None


def _name_in(dn: str) -> str:
    return str(ldap3.utils.dn.parse_dn(dn)[0][1])


def _password(ldap: LdapSettings) -> str:
    try:
        return Path(ldap.search_password_file).read_text().strip()
    except OSError as error:
        raise InvalidInputError(
            f"ldap.search_password_file {ldap.search_password_file} cannot be read "
            f"({error.strerror})."
        ) from None
