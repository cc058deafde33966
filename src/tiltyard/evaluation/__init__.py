"""Metrics, summaries, drift and the check of thresholds: pure functions without input or output."""
