"""mien.compat.face_recognition against the original library, on the same photos."""

from __future__ import annotations

import inspect
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mien.compat.face_recognition as ours
from mien.errors import LicenceNotAccepted, MienError

Css = tuple[int, int, int, int]
FUNCTIONS = [
    "load_image_file", "face_locations", "batch_face_locations", "face_landmarks", "face_encodings", "compare_faces",
    "face_distance",
]  # fmt: skip


@pytest.fixture(scope="module")
def original() -> ModuleType:
    """The library itself: dlib's wheel and its weights; a test dependency only."""
    pytest.importorskip("dlib", reason="dlib-bin is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports pkg_resources
        return pytest.importorskip("face_recognition", reason="face_recognition is not installed", exc_type=ImportError)


@pytest.fixture(scope="module")
def photos(data: Path) -> list[Path]:
    """Two photos of each of seven people."""
    people = sorted(path for path in (data / "faces" / "lfw10").iterdir() if path.is_dir())
    return [photo for person in people[:7] for photo in sorted(person.glob("*.jpg"))[:2]]


def iou(one: Css, other: Css) -> float:
    top, right, bottom, left = (
        max(one[0], other[0]),
        min(one[1], other[1]),
        min(one[2], other[2]),
        max(one[3], other[3]),
    )
    shared = max(0, bottom - top) * max(0, right - left)
    whole = sum((css[2] - css[0]) * (css[1] - css[3]) for css in (one, other))
    return shared / (whole - shared)


def outcome(call: Callable[[], Any]) -> type[BaseException] | None:
    """The kind of exception, None where there is none."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 (any kind is compared)
        return type(error)
    return None


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_arguments_are_the_originals(original: ModuleType, name: str) -> None:
    def arguments(module: ModuleType) -> list[tuple[str, Any]]:
        return [(one.name, one.default) for one in inspect.signature(getattr(module, name)).parameters.values()]

    assert arguments(ours) == arguments(original)


def test_every_public_name_is_there(original: ModuleType) -> None:
    public = {name for name, value in vars(original).items() if inspect.isfunction(value)}
    assert public == set(ours.__all__) == set(FUNCTIONS)


def test_boxes_and_encodings_agree_on_clear_portraits(original: ModuleType, photos: list[Path]) -> None:
    """The same faces, boxes about where dlib's are, and encodings far closer to the original's than two people are."""
    overlaps, gaps = [], []
    for photo in photos:
        pixels = original.load_image_file(str(photo))
        theirs, mine = original.face_locations(pixels), ours.face_locations(pixels)
        assert len(mine) >= len(theirs)
        vectors, reference = ours.face_encodings(pixels), original.face_encodings(pixels, theirs)
        for css, vector in zip(theirs, reference, strict=True):
            nearest = max(range(len(mine)), key=lambda index: iou(css, mine[index]))
            overlaps.append(iou(css, mine[nearest]))
            gaps.append(float(np.linalg.norm(vectors[nearest] - vector)))
    assert np.median(overlaps) > 0.8 and min(overlaps) > 0.5
    assert np.median(gaps) < 0.06 and max(gaps) < 0.15


def test_encodings_of_given_boxes_are_the_originals(original: ModuleType, photos: list[Path]) -> None:
    for photo in photos[:6]:
        pixels = original.load_image_file(str(photo))
        boxes = original.face_locations(pixels)
        for mine, theirs in zip(
            ours.face_encodings(pixels, boxes), original.face_encodings(pixels, boxes), strict=True
        ):
            assert mine.dtype == theirs.dtype == np.float64
            assert mine.shape == theirs.shape == (128,)
            assert np.linalg.norm(mine - theirs) < 0.02
            assert abs(np.linalg.norm(mine) - np.linalg.norm(theirs)) < 0.01  # the network's own length, not one


def test_small_landmarks_are_the_originals(original: ModuleType, photos: list[Path]) -> None:
    for photo in photos[:6]:
        pixels = original.load_image_file(str(photo))
        boxes = original.face_locations(pixels)
        theirs, mine = (module.face_landmarks(pixels, boxes, "small") for module in (original, ours))
        assert [list(face) for face in mine] == [list(face) for face in theirs]
        for one, other in zip(mine, theirs, strict=True):
            for part, points in other.items():
                assert all(isinstance(value, int) for point in one[part] for value in point)
                assert np.abs(np.array(one[part]) - np.array(points)).max() <= 1


def test_cnn_boxes_are_dlibs(original: ModuleType, photos: list[Path]) -> None:
    pixels = original.load_image_file(str(photos[0]))
    assert ours.face_locations(pixels, 0, "cnn") == original.face_locations(pixels, 0, "cnn")
    small = np.ascontiguousarray(pixels[::2, ::2])
    assert ours.face_locations(small, 1, "cnn") == original.face_locations(small, 1, model="cnn")


def test_a_batch_is_its_pictures_one_by_one(photos: list[Path]) -> None:
    pictures = [ours.load_image_file(str(photo)) for photo in photos[:2]]
    batch = ours.batch_face_locations(pictures, 0, batch_size=1)
    assert batch == [ours.face_locations(picture, 0, "cnn") for picture in pictures]
    assert ours.batch_face_locations([]) == []


def test_boxes_are_plain_integers_inside_the_picture(photos: list[Path]) -> None:
    pixels = ours.load_image_file(str(photos[0]))
    close = np.ascontiguousarray(pixels[90:185, 70:170])
    boxes = ours.face_locations(close)
    assert boxes
    for top, right, bottom, left in boxes:
        assert all(type(side) is int for side in (top, right, bottom, left))
        assert 0 <= top < bottom <= close.shape[0] and 0 <= left < right <= close.shape[1]


def test_grey_pictures_and_views_are_searched_too(photos: list[Path]) -> None:
    pixels = ours.load_image_file(str(photos[0]))
    assert ours.face_locations(ours.load_image_file(str(photos[0]), mode="L"))
    mirrored = pixels[:, ::-1]  # a view with negative strides
    assert len(ours.face_locations(mirrored)) == len(ours.face_locations(pixels))
    assert not ours.face_locations(np.zeros((0, 0, 3), np.uint8))
    assert not ours.face_locations(np.zeros((1, 1, 3), np.uint8))


def test_no_face_is_an_empty_list() -> None:
    blank = np.full((200, 200, 3), 128, np.uint8)
    assert ours.face_locations(blank) == ours.face_encodings(blank) == ours.face_landmarks(blank, model="small") == []


def test_jitter_is_fixed_and_near_the_originals(original: ModuleType, photos: list[Path]) -> None:
    pixels = original.load_image_file(str(photos[0]))
    boxes = original.face_locations(pixels)
    (once,), (again,), (plain,) = (ours.face_encodings(pixels, boxes, count) for count in (10, 10, 1))
    assert np.array_equal(once, again)
    theirs = [original.face_encodings(pixels, boxes, 10)[0] for _ in range(2)]
    (reference,) = original.face_encodings(pixels, boxes)
    # As far from the plain encoding as dlib's jitter goes, and no further from dlib's draws than twice their own spread.
    assert 0.5 < np.linalg.norm(once - plain) / np.mean([np.linalg.norm(one - reference) for one in theirs]) < 2
    spread = float(np.linalg.norm(theirs[0] - theirs[1]))
    assert min(float(np.linalg.norm(once - one)) for one in theirs) < 2 * spread
    for count in (0, -1):
        assert np.array_equal(ours.face_encodings(pixels, boxes, count)[0], plain)


def test_distances_and_verdicts_are_the_originals(original: ModuleType) -> None:
    draw = np.random.default_rng(3)
    known = [draw.normal(0, 0.1, 128) for _ in range(5)]
    probe = known[0] + 0.01
    assert np.array_equal(ours.face_distance(known, probe), original.face_distance(known, probe))
    verdicts = ours.compare_faces(known, probe)
    assert verdicts == original.compare_faces(known, probe) and type(verdicts[0]) is type(
        original.compare_faces(known, probe)[0]
    )
    assert ours.compare_faces(known, known[0], tolerance=0.0)[0]  # inclusive
    for empty in ([], (), np.empty((0, 128))):
        assert ours.face_distance(empty, probe).shape == original.face_distance(empty, probe).shape == (0,)
        assert ours.compare_faces(empty, probe) == []


BLANK = np.zeros((50, 50, 3), np.uint8)
BAD: dict[str, Callable[[Any, Any], Any]] = {
    "a name": lambda module, photo: module.face_locations(str(photo)),
    "None": lambda module, photo: module.face_locations(None),
    "a list": lambda module, photo: module.face_encodings([[1, 2], [3, 4]]),
    "floats": lambda module, photo: module.face_locations(np.zeros((50, 50, 3))),
    "four channels": lambda module, photo: module.face_encodings(np.zeros((50, 50, 4), np.uint8)),
    "enlarged -1 times": lambda module, photo: module.face_locations(BLANK, -1),
    "enlarged 1.5 times": lambda module, photo: module.face_locations(BLANK, 1.5),
    "a grey encoding": lambda module, photo: module.face_encodings(BLANK[..., 0], [(0, 40, 40, 0)]),
    "half a jitter": lambda module, photo: module.face_encodings(BLANK, [(0, 40, 40, 0)], 1.5),
    "a float box": lambda module, photo: module.face_landmarks(BLANK, [(0.5, 9.0, 9.0, 0.0)], "small"),
    "a short box": lambda module, photo: module.face_landmarks(BLANK, [(0, 9, 9)], "small"),
    "no such landmarks": lambda module, photo: module.face_landmarks(BLANK, [], "tiny"),
    "sizes differ": lambda module, photo: module.batch_face_locations([BLANK, BLANK[:40]], 0),
    "no batch": lambda module, photo: module.batch_face_locations(None),
    "an empty picture": lambda module, photo: module.face_locations(BLANK[:0, :0], 0, "cnn"),
    "no known": lambda module, photo: module.face_distance(None, np.zeros(128)),
    "no probe": lambda module, photo: module.compare_faces([np.zeros(128)], None),
    "other length": lambda module, photo: module.face_distance([np.zeros(128)], np.zeros(5)),
    "no file": lambda module, photo: module.load_image_file(str(photo) + ".nowhere"),
    "a folder": lambda module, photo: module.load_image_file(str(photo.parent)),
    "text": lambda module, photo: module.load_image_file(io.BytesIO(b"not a picture")),
    "nothing": lambda module, photo: module.load_image_file(io.BytesIO(b"")),
    "no name": lambda module, photo: module.load_image_file(None),
    "no such mode": lambda module, photo: module.load_image_file(str(photo), mode="bogus"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the original leaves files open
@pytest.mark.parametrize("case", BAD)
def test_bad_input_raises_the_originals_kind(original: ModuleType, photos: list[Path], case: str) -> None:
    theirs, mine = (outcome(lambda module=module: BAD[case](module, photos[0])) for module in (original, ours))
    assert theirs is not None and mine is not None
    assert issubclass(mine, theirs), f"{mine} is no {theirs}"


def test_our_own_refusals_are_of_the_tree_and_say_what_to_do() -> None:
    with pytest.raises(MienError, match="load_image_file") as error:
        ours.face_locations("photo.jpg")  # type: ignore[arg-type]
    assert error.value.remedy
    with pytest.raises(ValueError, match="no detector 'hig'"):
        ours.face_locations(BLANK, model="hig")
    with pytest.raises(ValueError, match=r"has 0 numbers.*no face"):
        ours.face_distance([np.zeros(128)], [])


def test_pictures_load_as_displayed(tmp_path: Path) -> None:
    lying = Image.new("RGB", (40, 20), "red")
    exif = lying.getexif()
    exif[0x0112] = 6
    lying.save(tmp_path / "lying.jpg", exif=exif)
    assert ours.load_image_file(str(tmp_path / "lying.jpg")).shape == (40, 20, 3)
    assert ours.load_image_file(str(tmp_path / "lying.jpg"), mode="L").shape == (40, 20)


def test_68_points_want_a_yes_by_name(photos: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIEN_CONFIG", str(tmp_path))
    monkeypatch.delenv("MIEN_ACCEPT", raising=False)
    pixels = ours.load_image_file(str(photos[0]))
    for call in (lambda: ours.face_landmarks(pixels), lambda: ours.face_encodings(pixels, model="large")):
        with pytest.raises(LicenceNotAccepted, match=r"dlib_points68.*commercial") as error:
            call()
        assert "MIEN_ACCEPT=dlib_points68" in error.value.remedy


PROGRAM = """
known_names = []
known = []
for name, path in people:
    found = face_recognition.face_encodings(face_recognition.load_image_file(path))
    if found:
        known_names.append(name)
        known.append(found[0])
for path in unknown:
    image = face_recognition.load_image_file(path)
    locations = face_recognition.face_locations(image)
    for location, encoding in zip(locations, face_recognition.face_encodings(image, locations)):
        hits = face_recognition.compare_faces(known, encoding, tolerance=0.6)
        distances = face_recognition.face_distance(known, encoding)
        best = int(distances.argmin())
        print(path.rsplit("/", 1)[-1], known_names[best] if hits[best] else "nobody known")
"""


def run_program(module: ModuleType, people: list[tuple[str, str]], unknown: list[str]) -> list[str]:
    lines: list[str] = []
    names = {
        "face_recognition": module,
        "people": people,
        "unknown": unknown,
        "print": lambda *words: lines.append(" ".join(words)),
    }
    exec(compile(PROGRAM, "program.py", "exec"), names)
    return lines


def test_a_program_prints_the_same(original: ModuleType, photos: list[Path]) -> None:
    """Half of the people are known; a second photo of everybody is asked about."""
    people = [(photo.parent.name, str(photo)) for photo in photos[::2][:4]]
    unknown = [str(photo) for photo in photos[1::2]]
    mine = run_program(ours, people, unknown)
    assert len(mine) >= len(unknown)
    assert sorted(mine) == sorted(run_program(original, people, unknown))


@pytest.mark.slow  # the predictor is built once: half a minute
def test_68_points_after_a_yes_are_the_originals(
    original: ModuleType, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_ACCEPT", "dlib_points68")
    for photo in photos[:6]:
        pixels = original.load_image_file(str(photo))
        boxes = original.face_locations(pixels)
        theirs, mine = (module.face_landmarks(pixels, boxes) for module in (original, ours))
        for one, other in zip(mine, theirs, strict=True):
            assert {part: len(points) for part, points in one.items()} == {
                part: len(points) for part, points in other.items()
            }
            assert all(np.abs(np.array(one[part]) - np.array(other[part])).max() <= 1 for part in other)
        vectors = (module.face_encodings(pixels, boxes, model="large") for module in (ours, original))
        assert all(np.linalg.norm(one - other) < 0.03 for one, other in zip(*vectors, strict=True))


@pytest.mark.slow
def test_verdicts_over_all_pairs_agree(original: ModuleType, data: Path) -> None:
    """Every pair of the 103 faces that both find in lfw10: how often both say the same at 0.6."""
    mine, theirs = [], []
    for photo in sorted((data / "faces" / "lfw10").rglob("*.jpg")):
        pixels = original.load_image_file(str(photo))
        boxes, found = original.face_locations(pixels), ours.face_locations(pixels)
        assert len(found) >= len(boxes)
        nearest = [max(found, key=lambda css, box=box: iou(css, box)) for box in boxes]
        theirs += original.face_encodings(pixels, boxes)
        mine += ours.face_encodings(pixels, nearest)
    pairs = [(i, j) for i in range(len(mine)) for j in range(i)]
    same = [ours.compare_faces([mine[i]], mine[j]) == original.compare_faces([theirs[i]], theirs[j]) for i, j in pairs]
    assert len(pairs) > 5_000
    assert np.mean(same) >= 0.998  # 5,246 of 5,253 when it was measured
