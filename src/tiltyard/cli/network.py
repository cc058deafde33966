"""`tiltyard network`."""

import os

from tiltyard.cli.base import group
from tiltyard.cli.output import complain, done, say

commands = group("network", "The network of users' containers, with runtime docker.")


@commands.command()
def up() -> None:
    """Make the network of users' containers and its firewall; `tiltyard up` as root does it, too.

    Example: sudo tiltyard --home /srv/tiltyard network up
    """
    from tiltyard.containers.engine import connect
    from tiltyard.containers.firewall import not_held
    from tiltyard.containers.network import ensure_network
    from tiltyard.settings import load_settings

    settings = load_settings()
    client = connect(settings)
    try:
        name = ensure_network(client, settings)
    finally:
        client.close()
    lack = not_held(settings)
    if lack is not None:
        complain(lack)
        raise SystemExit(1)
    done(f"{name} has {settings.docker.subnet}; its containers reach hub, control and gateway.")


@commands.command()
def down() -> None:
    """Remove the network and its firewall, unless a container is on it.

    Example: sudo tiltyard --home /srv/tiltyard network down
    """
    from tiltyard.containers.engine import connect
    from tiltyard.containers.network import remove_network
    from tiltyard.settings import load_settings

    settings = load_settings()
    client = connect(settings)
    try:
        gone = remove_network(client, settings)
    finally:
        client.close()
    if not gone:
        complain("Containers are on the network: stop people's servers and runs first.")
        raise SystemExit(1)
    done("The network is removed.")
    if os.geteuid() != 0:
        say("Rules that root has made stay until root runs the same, or the machine restarts.")
