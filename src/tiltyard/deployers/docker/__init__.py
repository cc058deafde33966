"""Runtime ``docker``: each scorer is a container without a network, reached by its socket."""

from tiltyard.deployers.docker.deployer import DockerDeployer

__all__ = ["DockerDeployer"]
