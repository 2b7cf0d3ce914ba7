"""What the demo shows: real photographs, and a group picture and a video put together from some of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from mien.cli.portraits import PACKAGE, portraits
from mien.errors import UsageError
from mien.types import U8

if TYPE_CHECKING:
    from PIL import Image

VIEW = 640, 360  # px of the composed video, width and height
FPS = 15
HOLD, MOVE = 2.0, 2.0  # s the camera rests on a panel, and takes to the next


@dataclass(frozen=True, slots=True)
class Scenes:
    """Whom to enrol, and what to ask then."""

    about: Sequence[str]  # where the pictures come from, sentence by sentence
    people: Mapping[str, Sequence[Path]]  # enrolled first
    photos: Sequence[Path]  # who is there?
    pair: tuple[Path, Path]  # the same person?
    later: Mapping[str, Sequence[Path]] = field(default_factory=dict)  # enrolled before the last questions
    last: Sequence[Path] = ()  # a group picture, a video


def from_portraits(cache: Path, out: Path) -> Scenes:
    """Official portraits; what is put together from them is written into `out`.

    Raises MediaNotFound when they are not on this machine and cannot be fetched."""
    have = portraits(cache)
    group, video, poor = out / "group.png", out / "video.mp4", out / "blurred.png"
    # Upper left corner and width of a 16:9 cut around each face, px of the portraits.
    cuts = [_cut(have["obama3"], 0, 120, 1434), _cut(have["biden"], 0, 90, 970)]
    strip = np.concatenate([np.asarray(cut) for cut in cuts], axis=1)
    _save(strip, group)
    write_video(video, _pan(strip, len(cuts)))
    _save(_blurred(_cut(have["obama3"], 380, 200, 800)), poor)
    about = (
        f"Official portraits (US government works, public domain) out of the Python source package {PACKAGE}.",
        f"{poor.name}, {group.name} and {video.name} were made from them for this demo:",
        "a blurred copy, two portraits side by side, and a camera that pans across those two.",
        "Of Joe Biden there is one portrait only: he is enrolled from the one he is then found in.",
    )
    return Scenes(
        about=about,
        people={"Barack Obama": [have["obama"], have["obama2"]]},
        photos=[have["obama3"], have["biden"], poor],
        pair=(have["obama2"], have["obama3"]),
        later={"Joe Biden": [have["biden"]]},
        last=[group, video],
    )


def from_folder(data: Path) -> Scenes:
    """Somebody's own photographs: `known_people/` with a gallery and probes, or a folder per person.

    Raises MediaNotFound, and UsageError when there is nobody with two pictures."""
    known = data / "faces" / "known_people"
    return _known_people(data, known) if known.is_dir() else _own(data)


def _known_people(data: Path, known: Path) -> Scenes:
    from mien.media import folder_per_person

    people = {name: list(paths) for name, paths in folder_per_person(known / "gallery").items()}
    probes = sorted((known / "probes").iterdir())
    video = data / "video" / "short_hamilton_clip.mp4"
    portraits_of = {"lin_manuel_miranda": "lin-manuel-miranda.png", "alex_lacamoire": "alex-lacamoire.png"}
    later = {name: [data / "video" / file] for name, file in portraits_of.items()}
    first = next(iter(people.values()))
    return Scenes(
        about=(f"Photographs of {known}: a folder per person to enrol, and others to ask about.",),
        people=people,
        photos=probes,
        pair=(probes[0], first[0]),
        later={name: paths for name, paths in later.items() if paths[0].is_file()},
        last=[video] if video.is_file() else [],
    )


def _own(data: Path) -> Scenes:
    """A folder per person: the last picture of each is asked about, the others are enrolled."""
    from mien.media import folder_per_person

    everybody = {name: list(paths) for name, paths in folder_per_person(data).items()}
    several = {name: paths for name, paths in everybody.items() if len(paths) > 1}
    if not several:
        raise UsageError(
            f"Nobody in {data} has two pictures.", "Give a folder per person with two pictures or more each."
        )
    first = next(iter(several.values()))
    return Scenes(
        about=(f"Photographs of {data}: the last of each person is asked about, the others are enrolled.",),
        people={name: paths[:-1] for name, paths in several.items()},
        photos=[paths[-1] for paths in everybody.values()],
        pair=(first[0], first[-1]),
    )


def write_video(path: Path, frames: Iterable[U8]) -> None:
    """An mp4 of (H, W, 3) RGB frames at FPS."""
    import av

    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    with av.open(str(path), "w") as container:
        stream = cast("av.VideoStream", container.add_stream(codec, rate=Fraction(FPS)))
        stream.width, stream.height, stream.pix_fmt = *VIEW, "yuv420p"
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def _pan(strip: U8, panels: int) -> Iterator[U8]:
    """A camera that rests on each panel of the strip and glides to the next."""
    for panel in range(panels):
        steps = [0.0] * int(HOLD * FPS)
        if panel < panels - 1:
            steps += list(np.linspace(0, 1, int(MOVE * FPS)))
        for step in steps:
            start = round((panel + step) * VIEW[0])
            yield np.ascontiguousarray(strip[:, start : start + VIEW[0]])


def _cut(path: Path, left: int, top: int, width: int) -> Image.Image:
    """A 16:9 part of a picture, at the size of the view."""
    from PIL import Image

    with Image.open(path) as picture:
        box = (left, top, left + width, top + round(width * VIEW[1] / VIEW[0]))
        return picture.convert("RGB").resize(VIEW, Image.Resampling.LANCZOS, box)


def _blurred(picture: Image.Image) -> U8:
    """A copy that nobody should be recognised on."""
    from PIL import ImageFilter

    return np.asarray(picture.filter(ImageFilter.GaussianBlur(12)))


def _save(pixels: U8, path: Path) -> None:
    from mien.media import write_image
    from mien.types import Frame

    write_image(Frame(pixels), path)
