"""Role groups, roles and custom scopes."""

from tiltyard.settings import HubSettings
from tiltyard.types.people import custom_scope, roles_in, scopes_of, teams_of
from tiltyard.types.registry import Scope


def test_role_groups_give_roles_and_all_others_are_teams() -> None:
    """Membership in a role group is a role; any other group is a team."""
    names = ("rentals", "promoters", "scientists")
    assert scopes_of(names, HubSettings()) == (Scope.SCIENTIST, Scope.PROMOTER)
    assert teams_of(names, HubSettings()) == ("rentals",)


def test_a_site_names_its_own_role_groups() -> None:
    """With `hub.promoters` set to another group, that one gives the role, and only that."""
    site = HubSettings(promoters="risk-board")
    assert scopes_of(("risk-board", "promoters"), site) == (Scope.PROMOTER,)
    assert teams_of(("risk-board", "promoters"), site) == ("promoters",)


def test_roles_are_read_from_a_tokens_scopes() -> None:
    """Custom scopes of Tiltyard become roles; others, and narrowed ones, do not."""
    scopes = [custom_scope(Scope.VIEWER), "self", "custom:other:operator"]
    assert roles_in(scopes) == (Scope.VIEWER,)
    assert roles_in(["custom:tiltyard:operator!user=ann"]) == ()
