"""Faces to templates."""
