"""What the command line does to the registry directly: migrations and local tokens."""

from tiltyard.cli.home import LOCAL_SCOPES, make_token
from tiltyard.registry import open_registry
from tiltyard.settings import Settings
from tiltyard.types.registry import Scope


def prepare_registry(settings: Settings) -> None:
    """Bring the registry to this Tiltyard's schema and let it know the local tokens."""
    folder = settings.path("tokens")
    with open_registry(settings.registry_url, migrate=True) as registry:
        for name, scopes in LOCAL_SCOPES.items():
            text = make_token(folder, name)
            registry.tokens.put_principal(name, text, [Scope(scope) for scope in scopes], ())
