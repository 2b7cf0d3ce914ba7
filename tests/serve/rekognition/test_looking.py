"""DetectFaces and CompareFaces, by the vendor's client: on colours, and on real photographs with the real models."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from mien import Engine, Face, Frame
from mien.judge.quality import Measures
from mien.serve.app import build
from mien.serve.rekognition.pictures import Seen
from mien.serve.settings import Settings

WORDS = {"HAPPY", "SAD", "ANGRY", "DISGUSTED", "SURPRISED", "CALM", "FEAR"}


def test_faces_are_detected(aws: Any, stubs: Any) -> None:
    picture = {"Bytes": stubs.picture(stubs.RED, (0, 0, 0), stubs.BLUE, form="JPEG")}
    found = aws.detect_faces(Image=picture)
    assert "OrientationCorrection" not in found
    first, second = found["FaceDetails"]
    assert first["BoundingBox"] == {"Width": pytest.approx(1 / 3, abs=1e-5), "Height": 1, "Left": 0, "Top": 0}
    assert second["BoundingBox"]["Left"] == pytest.approx(2 / 3, abs=1e-5)
    spots = {one["Type"]: (one["X"] * 192, one["Y"] * 64) for one in first["Landmarks"]}
    assert {name: (round(x), round(y)) for name, (x, y) in spots.items()} == {
        "eyeLeft": (22, 26),  # the picture's left, which is the subject's right
        "eyeRight": (42, 26),
        "nose": (32, 38),
        "mouthLeft": (24, 48),
        "mouthRight": (40, 48),
    }
    assert "Emotions" not in first
    assert aws.detect_faces(Image={"Bytes": stubs.picture((0, 0, 0))})["FaceDetails"] == []


def test_attributes_that_are_not_read_are_left_out(aws: Any, stubs: Any) -> None:
    picture = {"Bytes": stubs.picture(stubs.RED)}
    for asked, emotions in ((["ALL"], True), (["EMOTIONS"], True), (["GENDER", "AGE_RANGE", "DEFAULT"], False)):
        (face,) = aws.detect_faces(Image=picture, Attributes=asked)["FaceDetails"]
        assert set(face) - {"Emotions"} == {"BoundingBox", "Confidence", "Landmarks", "Pose", "Quality"}
        if "Emotions" in face:  # the judge may hold back
            assert emotions
            assert {one["Type"] for one in face["Emotions"]} == WORDS
            assert sum(one["Confidence"] for one in face["Emotions"]) == pytest.approx(100, abs=0.1)


def test_two_pictures_are_compared(aws: Any, stubs: Any) -> None:
    source, target = stubs.picture(stubs.RED, stubs.BLUE), stubs.picture(stubs.GREEN, stubs.RED, noise=3)
    found = aws.compare_faces(SourceImage={"Bytes": source}, TargetImage={"Bytes": target})
    assert found["SourceImageFace"]["BoundingBox"]["Left"] == 0
    assert [one["Face"]["BoundingBox"]["Left"] for one in found["FaceMatches"]] == [0.5]
    assert [one["BoundingBox"]["Left"] for one in found["UnmatchedFaces"]] == [0]
    all_ = aws.compare_faces(SourceImage={"Bytes": source}, TargetImage={"Bytes": target}, SimilarityThreshold=0)
    assert [one["Face"]["BoundingBox"]["Left"] for one in all_["FaceMatches"]] == [0.5, 0]
    assert all_["UnmatchedFaces"] == []
    same = aws.compare_faces(SourceImage={"Bytes": source}, TargetImage={"Bytes": source}, SimilarityThreshold=99.9)
    assert same["FaceMatches"][0]["Similarity"] == pytest.approx(100, abs=0.01)


def test_comparing_wants_a_face_in_both(aws: Any, stubs: Any) -> None:
    face, empty = {"Bytes": stubs.picture(stubs.RED)}, {"Bytes": stubs.picture((0, 0, 0))}
    with pytest.raises(aws.exceptions.InvalidParameterException, match="source image"):
        aws.compare_faces(SourceImage=empty, TargetImage=face)
    with pytest.raises(aws.exceptions.InvalidParameterException, match="target image"):
        aws.compare_faces(SourceImage=face, TargetImage=empty)
    with pytest.raises(aws.exceptions.InvalidImageFormatException, match="TargetImage"):
        aws.compare_faces(SourceImage=face, TargetImage={"Bytes": b"GIF89a"})


def test_the_operators_limit_of_faces_holds(serving: Any, stubs: Any) -> None:
    client = serving(stubs.engine(), max_faces=2).client()
    found = client.detect_faces(Image={"Bytes": stubs.picture(stubs.RED, stubs.GREEN, stubs.BLUE)})
    assert len(found["FaceDetails"]) == 2


def test_a_picture_with_too_many_pixels(serving: Any, stubs: Any) -> None:
    small = serving(stubs.engine(), max_megapixels=0.005).client()
    with pytest.raises(small.exceptions.ImageTooLargeException):
        small.detect_faces(Image={"Bytes": stubs.picture(stubs.RED, stubs.BLUE)})
    assert small.detect_faces(Image={"Bytes": stubs.picture(stubs.RED)})["FaceDetails"]


@pytest.mark.parametrize("pixels", [1, 50_000_000])  # one picture held at a time, and all
def test_requests_at_once_go_through_the_models_together(
    serving: Any, stubs: Any, monkeypatch: pytest.MonkeyPatch, pixels: int
) -> None:
    engine = stubs.engine()
    detect = engine.detector.detect
    monkeypatch.setattr(stubs.Colours, "detect", lambda _, frames: time.sleep(0.04) or detect(frames))
    monkeypatch.setattr("mien.serve.rekognition.pictures._PIXELS", pixels)
    live = serving(engine, threads=1)
    client = live.client(max_pool_connections=8)
    client.create_collection(CollectionId="many")
    colours = [(250, 30 * number, 10) for number in range(8)]

    def index(colour: tuple[int, int, int]) -> str:
        found = client.index_faces(CollectionId="many", Image={"Bytes": stubs.picture(colour)})
        number: str = found["FaceRecords"][0]["Face"]["FaceId"]
        return number

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(index, colours))
    assert max(live.service.lines.sizes) > 1
    for colour, number in zip(colours, numbers, strict=True):
        found = client.search_faces_by_image(CollectionId="many", Image={"Bytes": stubs.picture(colour)}, MaxFaces=1)
        assert found["FaceMatches"][0]["Face"]["FaceId"] == number


def jpeg(pixels: Any) -> dict[str, bytes]:
    file = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(file, "JPEG", quality=92)
    return {"Bytes": file.getvalue()}


@pytest.fixture(scope="module")
def real(serve: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The client of a service with the default models."""
    for one in serve(build(Settings(data=tmp_path_factory.mktemp("real")), Engine(threads=1))):
        yield one.client()


def test_real_people(real: Any, portraits: dict[str, Path]) -> None:
    obama, other, biden = ({"Bytes": portraits[name].read_bytes()} for name in ("obama", "obama2", "biden"))
    (face,) = real.detect_faces(Image=obama, Attributes=["ALL"])["FaceDetails"]
    spots = {one["Type"]: one for one in face["Landmarks"]}
    assert spots["eyeLeft"]["X"] < spots["nose"]["X"] < spots["eyeRight"]["X"]
    assert abs(face["Pose"]["Yaw"]) < 25
    assert face["Quality"]["Sharpness"] > 90
    assert 20 < face["Quality"]["Brightness"] < 90
    assert {one["Type"] for one in face["Emotions"]} == WORDS
    assert real.compare_faces(SourceImage=obama, TargetImage=other)["FaceMatches"][0]["Similarity"] >= 80
    assert real.compare_faces(SourceImage=obama, TargetImage=biden)["FaceMatches"] == []


def test_why_a_face_is_not_indexed(real: Any, portraits: dict[str, Path]) -> None:
    picture = Image.open(portraits["obama"]).convert("RGB")
    picture.thumbnail((400, 400))
    real.create_collection(CollectionId="poor")

    def index(image: Image.Image, bar: str = "AUTO") -> tuple[int, list[list[str]]]:
        found = real.index_faces(CollectionId="poor", Image=jpeg(image), QualityFilter=bar)
        return len(found["FaceRecords"]), [each["Reasons"] for each in found["UnindexedFaces"]]

    dusk, dark = (ImageEnhance.Brightness(picture).enhance(share) for share in (0.1, 0.05))
    assert index(picture, "HIGH") == (1, [])
    assert index(dusk) == (1, [])
    assert index(dusk, "MEDIUM") == index(dark) == index(dark, "LOW") == (0, [["LOW_BRIGHTNESS"]])
    assert index(dark, "NONE") == (1, [])
    assert index(picture.filter(ImageFilter.GaussianBlur(3))) == (0, [["LOW_SHARPNESS"]])
    distant = Image.new("RGB", picture.size, (90, 90, 90))
    distant.paste(picture.resize((80, 100)), (100, 100))
    assert index(distant, "HIGH") == (0, [["SMALL_BOUNDING_BOX"]])


def measured(**changes: float) -> Seen:
    """A good face but for some measures."""
    good = {"eyes": 60, "sharpness": 0.7, "contrast": 40, "luma": 120, "clipped": 0, "noise": 0.5}
    pose = {"yaw": 0, "pitch": 0, "roll": 0, "inside": 1, "detector": 0.99}
    frame = Frame(np.zeros((8, 8, 3), np.uint8))
    face = Face(frame, np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 0.99)
    return Seen(face, Measures(**{**good, **pose, **changes}), 0.1)


def test_reasons_are_the_worst_first() -> None:
    assert measured(yaw=70).reasons() == ["EXTREME_POSE"]
    assert measured(pitch=-80, sharpness=0.4).reasons() == ["EXTREME_POSE", "LOW_SHARPNESS"]
    assert measured(contrast=2, luma=200).reasons() == ["LOW_FACE_QUALITY"]
    assert measured(contrast=2, luma=20, noise=5).reasons() == ["LOW_BRIGHTNESS", "LOW_FACE_QUALITY"]
    assert measured(eyes=6, sharpness=0.34).reasons() == ["SMALL_BOUNDING_BOX"]  # small faces are blurred as well
    assert measured(inside=0.5).reasons() == measured().reasons() == ["LOW_FACE_QUALITY"]
    unlike = measured()
    unlike.measures = None
    assert unlike.reasons() == ["LOW_FACE_QUALITY"]
    assert not unlike.passes("NONE")
