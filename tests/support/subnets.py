"""Networks for the containers of tests."""

import random


def own_subnet() -> str:
    """Return a subnet that hardly another test has, and that Docker gives to nobody by itself."""
    # Not the seeded generator of a test: two runs on one machine must differ.
    rng = random.SystemRandom()
    return f"10.{rng.randrange(200, 250)}.{rng.randrange(256)}.0/24"
