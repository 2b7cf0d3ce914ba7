"""What `mien doctor --service` looks at: a deployment, one function per line of its report. Nothing is changed."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from mien.cli.at_service import chosen
from mien.cli.checks import Check, Finding, checked

if TYPE_CHECKING:
    from mien.serve.galleries import Galleries
    from mien.serve.keys import Key, Keys
    from mien.serve.records import Records
    from mien.serve.settings import Settings

LITTLE, LESS = 1e9, 2e8  # bytes free under which it is a warning, a failure
OLD, UNUSED, SOON = 365, 30, 14  # days: a key's age, a key never used, a key about to expire


def service_checks(data: Path | None, galleries: tuple[str, ...]) -> Iterator[Check]:
    """Every check in turn, on the service in `data` with these galleries. Raises UsageError, NotFound: there is none."""
    look = _Look(chosen(data, galleries))
    checks: dict[str, Callable[[], Finding]] = {
        "secret": look.secret,
        "folder": look.folder,
        "transport": look.transport,
        "records": look.records_,
        "log": look.log,
        "clock": look.clock,
        "keys": look.keys_,
        "retention": look.retention,
        "disk": look.disk,
        "load": look.load,
        "models": look.models,
    }
    for name, check in checks.items():
        yield checked(name, check)
    for tenant, gallery in look.galleries():
        yield checked(f"{tenant}/{gallery}", partial(look.gallery, tenant, gallery))


class _Look:
    """The settings and records of one service."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def records(self) -> Records:
        from mien.serve.records import Records

        return Records(self.settings.records)

    @cached_property
    def keys(self) -> Keys:
        from mien.serve.keys import Keys

        return Keys(self.records, self.settings.master())

    def secret(self) -> Finding:
        self.settings.master()
        if self.settings.secret is not None:
            told = "From MIEN_SERVE_SECRET, which every process of this user can read in the environment."
            return "WARN", told, "Put it into a file of mode 600 and name that with MIEN_SERVE_SECRET_FILE."
        path = self.settings.secret_file or self.settings.data / "secret"
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & stat.S_IRWXG:
            return "WARN", f"{path} can be read by its group (mode {mode:o}).", f"Run: chmod 600 {path}"
        return "OK", f"{path} is its owner's only (mode {mode:o}).", ""

    def folder(self) -> Finding:
        data = self.settings.data
        mode = stat.S_IMODE(data.stat().st_mode)
        if os.name == "posix" and mode & stat.S_IRWXO:
            told = f"{data} can be entered by every user of this machine (mode {mode:o}): galleries lie in it."
            return "FAIL", told, f"Run: chmod 700 {data}"
        return "OK", f"{data} is closed to others (mode {mode:o}).", ""

    def transport(self) -> Finding:
        from mien.serve.server import loopback, secured

        secured(self.settings)
        if self.settings.tls_certificate is not None:
            return "OK", f"HTTPS at {self.settings.host}, with {self.settings.tls_certificate}.", ""
        if loopback(self.settings.host):
            return "OK", f"HTTP at {self.settings.host}: this machine only.", ""
        told = f"HTTP at {self.settings.host}, behind a proxy that does TLS."
        return "WARN", told, "See that nobody else reaches this port."

    def records_(self) -> Finding:
        with self.records.change() as db:
            fault = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if fault != "ok":
            return "FAIL", f"{self.settings.records} is damaged: {fault}.", "Stop the service and put back a copy."
        size = self.settings.records.stat().st_size
        return "OK", f"{self.settings.records} can be written and is whole ({size / 1e6:.1f} MB).", ""

    def log(self) -> Finding:
        from mien.serve.log import opened

        log = opened(self.settings.data, self.records, self.settings.master())
        found = log.verify()
        log.close()
        if found.fault:
            return "FAIL", found.fault, f"See what was lost with: mien log show {self.settings.data}"
        return "OK", f"{found.entries:,} entries, none changed or taken out; head {found.head[:24]}….", ""

    def clock(self) -> Finding:
        now = datetime.now(UTC)
        newest = max((one.stat().st_mtime for one in self.settings.data.glob("*.db*")), default=0.0)
        ahead = newest - now.timestamp()
        if ahead > 5 or now.year < 2025:
            told = f"It is {now:%Y-%m-%d %H:%M} UTC here, and files were written {ahead:,.0f} s after that."
            return "FAIL", told, "Set the clock and keep it in step (chrony, systemd-timesyncd)."
        return "OK", f"{now:%Y-%m-%d %H:%M:%S} UTC, not before what was written last.", ""

    def keys_(self) -> Finding:
        good = [one for one in self.keys.listed() if one.state == "in force"]
        told = f"{len(good)} in force."
        if not any(one.role == "admin" for one in good):
            return "WARN", f"{told} None is an admin's.", "Make one: mien keys make --role admin"
        faults = [fault for one in good for fault in _faults(one)]
        if faults:
            return "WARN", f"{told} {'; '.join(faults)}.", "See mien keys list, rotate and revoke."
        return "OK", f"{told} None is old, unused or about to expire.", ""

    def retention(self) -> Finding:
        from mien.serve.erasing import Receipts
        from mien.serve.retention import last_pass

        every, last = self.settings.retention_minutes * 60, last_pass(self.records)
        open_ = len(Receipts(self.records).unfinished((datetime.now(UTC) - timedelta(minutes=5)).isoformat()))
        if open_:
            told = f"{open_} erasures were cut off and not ended."
            return "FAIL", told, "Start the service: it ends them within two minutes."
        if last is None:
            return "WARN", "No pass was made yet.", "The service makes one soon after its start."
        late = datetime.now(UTC).timestamp() - last
        told = f"The last pass began {late / 60:,.0f} min ago; one is due every {every / 60:g} min."
        return ("WARN", told, "Is the service running?") if late > 2 * every + 60 else ("OK", told, "")

    def disk(self) -> Finding:
        free = shutil.disk_usage(self.settings.data).free
        told = f"{free / 1e9:,.1f} GB free for {self.settings.data}."
        remedy = "Make room: a full disk refuses every change."
        return ("FAIL" if free < LESS else "WARN", told, remedy) if free < LITTLE else ("OK", told, "")

    def load(self) -> Finding:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        threads = self.settings.workers
        told = f"{self.settings.processes} processes of {threads} threads on {cores} cores."
        if self.settings.processes * threads > cores:
            return "WARN", told, "More than one thread per core slows all: set MIEN_SERVE_THREADS."
        return "OK", told, ""

    def models(self) -> Finding:
        from mien import models
        from mien.cli.models import state

        wanted = (self.settings.detector, self.settings.embedder)
        states = {name: state(models.card(name), models.verify([name])) for name in wanted}
        told = "; ".join(f"{name}: {words}" for name, words in states.items()) + "."
        bad = [name for name, words in states.items() if words not in ("ready", "built on first use")]
        return ("FAIL", told, f"Run: mien models pull {' '.join(bad)}") if bad else ("OK", told, "")

    def galleries(self) -> list[tuple[str, str]]:
        """(tenant, name) of all."""
        return [(tenant, name) for tenant in self.keys.tenants() for name in self._galleries.names(tenant)]

    def gallery(self, tenant: str, name: str) -> Finding:
        from mien import embed, models

        found = self._galleries.open(tenant, name)
        people, space = len(found), found.space
        wanted = embed.space(models.card(self.settings.embedder))
        if space is not None and space != wanted:
            told = f"{people:,} people of another embedder than {self.settings.embedder}."
            return "FAIL", told, "Set MIEN_SERVE_EMBEDDER to theirs, or run: mien migrate"
        return "OK", f"{people:,} people, {found.templates:,} templates of {self.settings.embedder}.", ""

    @cached_property
    def _galleries(self) -> Galleries:
        from mien.serve.galleries import Galleries

        return Galleries(self.settings, self.records)


def _faults(key: Key) -> Iterator[str]:
    now = datetime.now(UTC)
    age = (now - datetime.fromisoformat(key.made)).days
    if age > OLD:
        yield f"{key.name} ({key.id}) is {age} days old"
    if key.used is None and age > UNUSED:
        yield f"{key.name} ({key.id}) was never used in {age} days"
    if key.expires and datetime.fromisoformat(key.expires) - now < timedelta(days=SOON):
        yield f"{key.name} ({key.id}) expires on {key.expires[:10]}"
