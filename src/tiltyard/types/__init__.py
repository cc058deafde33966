"""The documents that rooms hand to each other."""
