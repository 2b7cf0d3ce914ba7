"""A service in this process, and a client that talks to it over HTTP: enrol, identify, forget.

    python examples/service.py FOLDER PHOTO... ASKED

What `mien serve` does with a command, done by hand; FOLDER is for what the service keeps.
"""

import sys
import threading
import time
from pathlib import Path

import uvicorn

from mien.client import Client
from mien.serve.app import build
from mien.serve.settings import Settings

folder, *known, asked = sys.argv[1:]
app = build(Settings(data=Path(folder)))
key = app.state.service.keys.make("example", "admin", "default")
server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
thread = threading.Thread(target=server.run)
thread.start()
while not server.started:
    time.sleep(0.05)
port = server.servers[0].sockets[0].getsockname()[1]

with Client(f"http://127.0.0.1:{port}", key) as client:
    client.create("staff")
    told = client.enrol("staff", "ana", known, metadata={"consent": "form 12", "expires": "2027-12-31"})
    print("enrolled:", told.added, "refused:", [str(one.error) for one in told.refused])
    for answer in client.identify("staff", asked):
        print(answer.verdict, answer.subject, "because", answer.reasons[0])
    print("metadata:", dict(client.person("staff", "ana").metadata))
    receipt = client.forget("staff", "ana")
    print("forgotten:", receipt["samples"], "samples, people left:", len(list(client.people("staff"))))

server.should_exit = True
thread.join()
