"""Readers of data sets in their official layouts, and what turns examples into batches."""
