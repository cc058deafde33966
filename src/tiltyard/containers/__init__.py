"""The Docker Engine as Tiltyard uses it: images, labels, limits, the users' network."""
