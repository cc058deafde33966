"""The gateway's front alone, before one scorer: what an exported image runs."""
