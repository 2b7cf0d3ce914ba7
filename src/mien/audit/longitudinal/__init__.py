"""Dated genuine scores to a report: whether scores fall with time, or days differ by more."""

from mien.audit.longitudinal.audit import Longitudinal
from mien.audit.longitudinal.files import read_records
from mien.audit.longitudinal.photos import Dates, from_captures, read_dates
from mien.audit.longitudinal.records import Records, records

__all__ = ["Dates", "Longitudinal", "Records", "from_captures", "read_dates", "read_records", "records"]
