"""A video to a service as a job: how far it is, and who was seen when.

    python examples/video_job.py ADDRESS KEY KNOWN PHOTO...

KNOWN is enrolled; the video shows each PHOTO for a second and a half.
"""

import json
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from mien import Frame, media
from mien.client import Client

address, key, known, *shown = sys.argv[1:]


def ask(path, body=None):
    headers = {"authorization": f"Bearer {key}", "content-type": "video/mp4"}
    with urllib.request.urlopen(urllib.request.Request(address + path, body, headers)) as answer:
        return json.load(answer)


photos = [np.asarray(ImageOps.pad(Image.open(path).convert("RGB"), (640, 360))) for path in shown]
film = Path(tempfile.mkdtemp()) / "door.mp4"
media.write_video((Frame(photos[at // 15], "", at, at / 10) for at in range(15 * len(photos))), film, fps=10)
with Client(address, key) as client:
    client.create("door")
    client.enrol("door", "ana", [known])
job = ask("/v1/jobs?kind=video&gallery=door", film.read_bytes())
while job["state"] in ("queued", "running"):
    time.sleep(0.2)
    job = ask(f"/v1/jobs/{job['id']}")
print(job["state"], job["result"])
for one in ask(f"/v1/jobs/{job['id']}/timeline")["items"]:
    print(
        f"{one['span'][0]:.1f} to {one['span'][1]:.1f} s:", one["verdict"], one["subject"], "because", one["reasons"][0]
    )
