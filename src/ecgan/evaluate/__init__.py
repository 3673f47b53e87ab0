"""Metrics and figures: pure functions of predictions."""
