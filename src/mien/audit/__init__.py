"""Samples to a report."""
