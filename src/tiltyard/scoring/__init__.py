"""The scorer: a small server on a socket, an engine behind it, and its client."""
