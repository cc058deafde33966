"""Moves what the gateway logged: relay, followers and summaries, each under a lease."""
