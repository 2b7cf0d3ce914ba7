"""A key of a service from its making to its end, and a log in which one word was changed."""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from mien.errors import NotAuthenticated
from mien.serve.keys import Keys, Terms, number
from mien.serve.log import opened
from mien.serve.records import Records
from mien.serve.settings import Settings

with tempfile.TemporaryDirectory() as folder:
    settings = Settings(data=Path(folder))
    records, master = Records(settings.records), settings.master()
    keys, log = Keys(records, master), opened(settings.data, records, master)

    text = keys.make("front door", "operator", "default", Terms(quota=5000, expires="2099-12-31"))
    caller = keys.caller(text)
    print(caller.name, "is an", caller.role, "of", caller.tenant)
    for verdict in ("accept", "reject", "accept"):
        log.add(caller, "identify", gallery="people", verdict=verdict)
    log.add(caller, "subject.enrol", gallery="people", subject="ana", durable=True)
    print(log.verify().fault or "the log is whole")

    keys.revoke(number(text))
    try:
        keys.caller(text)
    except NotAuthenticated as refused:
        print(refused.message)

    with closing(sqlite3.connect(settings.data / "log.db")) as db:  # somebody with the rights of the service
        db.executescript("DROP TRIGGER log_is_so; UPDATE log SET entry = replace(entry, 'reject', 'accept');")
    print(log.verify().fault)
    log.close()
    records.close()
