"""Models, versions, champions, ledger, deployments, runs, tokens and routes, in SQL."""

from tiltyard.registry.registry import Registry, open_registry

__all__ = ["Registry", "open_registry"]
