"""Rendered faces with exact ground truth. All that it makes is labelled synthetic."""
