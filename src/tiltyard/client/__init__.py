"""Control's HTTP client: what notebooks, the CLI, gateway, worker and runner call."""
