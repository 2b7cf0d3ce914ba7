"""What takes longer than a request: videos, audits and calibrations, one at a time and behind the requests."""

from __future__ import annotations

from mien.serve.jobs.job import Job
from mien.serve.jobs.runner import Runner
from mien.serve.jobs.store import Jobs

__all__ = ["Job", "Jobs", "Runner"]
