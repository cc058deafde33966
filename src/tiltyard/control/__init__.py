"""The control plane: the only door to the registry."""
