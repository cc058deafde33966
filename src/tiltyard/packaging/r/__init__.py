"""What the R package `tiltyard` asks for: Python's own verbs, with tables that R reads exactly."""
