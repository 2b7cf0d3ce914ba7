"""mien.compat.deepface: DeepFace's arguments and shapes (golden), and answers that are mien's."""

from __future__ import annotations

import base64
import inspect
import io
import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mien.compat import deepface as DeepFace
from mien.compat.deepface import arguments, folder
from mien.compat.deepface.vectors import confidence
from mien.errors import MienError

GOLDEN = json.loads((Path(__file__).parent / "golden" / "deepface_0_0_103.json").read_text(encoding="utf8"))
PAGE = Path(__file__).parents[2] / "docs" / "guides" / "from-deepface.md"
BLANK = np.full((160, 160, 3), 127, np.uint8)


@pytest.fixture(scope="module")
def bush(data: Path) -> list[str]:
    """Photos of one person."""
    return [str(path) for path in sorted((data / "faces/lfw10/George_W_Bush").glob("*.jpg"))[:4]]


@pytest.fixture(scope="module")
def powell(data: Path) -> list[str]:
    """Photos of another."""
    return [str(path) for path in sorted((data / "faces/lfw10/Colin_Powell").glob("*.jpg"))[:3]]


@pytest.fixture(scope="module")
def group(data: Path) -> str:
    """Six people."""
    return str(data / "faces/group_photo.jpg")


@pytest.fixture
def database(tmp_path: Path, bush: list[str], powell: list[str]) -> Path:
    """Two people, two pictures each; names with spaces and letters beyond ASCII are allowed here."""
    for name, photos in (("George", bush), ("Cólin P", powell)):
        (tmp_path / "people" / name).mkdir(parents=True)
        for photo in photos[1:3]:
            shutil.copy(photo, tmp_path / "people" / name)
    return tmp_path / "people"


def shape_of(result: dict[str, Any]) -> dict[str, str]:
    return {key: type(value).__name__ for key, value in result.items()}


def bgr(path: str) -> np.ndarray:
    return np.asarray(cv2.imread(path))


@pytest.mark.parametrize("name", GOLDEN["arguments"])
def test_arguments_have_deepfaces_names_and_order(name: str) -> None:
    assert list(inspect.signature(getattr(DeepFace, name)).parameters) == GOLDEN["arguments"][name]


def test_every_exception_is_a_value_error_and_one_of_ours() -> None:
    for name in GOLDEN["exceptions"]:
        kind = getattr(DeepFace, name)
        assert issubclass(kind, ValueError) and issubclass(kind, MienError)


def test_the_page_says_what_becomes_of_every_argument() -> None:
    page = PAGE.read_text(encoding="utf8")
    for names in GOLDEN["arguments"].values():
        for name in names:
            assert f"`{name}`" in page, f"{name} is missing in {PAGE.name}"


def test_verify_tells_people_apart_in_deepfaces_shape(bush: list[str], powell: list[str]) -> None:
    same = DeepFace.verify(bush[0], bush[1])
    other = DeepFace.verify(bush[0], powell[0])
    for result in (same, other):
        evidence = result.pop("evidence")
        assert evidence["fmr"] and evidence["comparisons"] > 0 and evidence["data"]
        assert shape_of(result) == GOLDEN["results"]["verify"]
        assert shape_of(result["facial_areas"]["img1"]) == GOLDEN["results"]["facial_area"]
        assert result["verified"] == (result["distance"] <= result["threshold"]) == (result["confidence"] > 50)
    assert same["verified"] and not other["verified"]
    for metric in arguments.METRICS:
        assert DeepFace.verify(bush[0], bush[0], distance_metric=metric)["distance"] < 1e-6


def test_every_metric_gives_the_same_verdicts(bush: list[str], powell: list[str]) -> None:
    for pair in ((bush[0], bush[1]), (bush[0], powell[0]), (powell[0], powell[1])):
        results = [DeepFace.verify(*pair, distance_metric=metric) for metric in arguments.METRICS]
        assert len({result["verified"] for result in results}) == 1
        cosine, euclidean, l2, angular = (result["distance"] for result in results)
        assert euclidean == l2 == pytest.approx(math.sqrt(2 * cosine), abs=1e-5)
        assert angular == pytest.approx(math.acos(1 - cosine) / math.pi, abs=1e-5)


def test_thresholds_are_inclusive_and_may_be_given(bush: list[str]) -> None:
    distance = DeepFace.verify(bush[0], bush[1])["distance"]
    exact = DeepFace.verify(bush[0], bush[1], threshold=distance)
    assert exact["verified"] and exact["threshold"] == distance
    assert exact["evidence"]["fmr"] is None  # set by hand: nothing stands behind it
    assert not DeepFace.verify(bush[0], bush[1], threshold=distance - 1e-6)["verified"]


def test_a_metric_of_ones_own_needs_a_threshold(bush: list[str]) -> None:
    def city_block(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.abs(one - other).sum())

    with pytest.raises(ValueError, match="threshold"):
        DeepFace.verify(bush[0], bush[1], distance_metric=city_block)
    result = DeepFace.verify(bush[0], bush[1], distance_metric=city_block, threshold=4.0)
    one, other = (np.array(DeepFace.represent(photo)[0]["embedding"]) for photo in bush[:2])
    assert result["distance"] == pytest.approx(city_block(one, other))
    assert result["similarity_metric"] is city_block


def test_of_several_faces_the_closest_pair_counts_under_a_stricter_threshold(group: str, bush: list[str]) -> None:
    faces = len(DeepFace.extract_faces(group))
    assert faces >= 5
    alone, among = DeepFace.verify(bush[0], bush[1]), DeepFace.verify(group, bush[0])
    assert among["evidence"]["faces"] == [faces, 1] and among["evidence"]["pairs"] == faces
    assert among["threshold"] < alone["threshold"]
    assert DeepFace.verify(group, group)["distance"] == 0
    one = [DeepFace.verify(person["embedding"], bush[0])["distance"] for person in DeepFace.represent(group)]
    assert among["distance"] == pytest.approx(min(one), abs=2e-6)


def test_embeddings_stand_for_pictures(bush: list[str]) -> None:
    embedding = DeepFace.represent(bush[0])[0]["embedding"]
    from_both = DeepFace.verify(embedding, bush[1])
    assert from_both["distance"] == DeepFace.verify(bush[0], bush[1])["distance"]
    assert set(from_both["facial_areas"]["img1"].values()) == {None}
    with pytest.raises(DeepFace.DimensionMismatchError, match="128 numbers, not 3"):
        DeepFace.verify([1.0, 2.0, 3.0], bush[1])
    with pytest.raises(DeepFace.DataTypeError):
        DeepFace.verify([bush[0]], bush[1])
    with pytest.raises(DeepFace.InvalidEmbeddingsShapeError):
        DeepFace.verify([0.0] * 128, bush[1])


def test_no_face_is_never_invented(bush: list[str], tmp_path: Path) -> None:
    for call in (DeepFace.extract_faces, DeepFace.represent):
        with pytest.raises(DeepFace.FaceNotDetected, match="numpy array"):
            call(BLANK)
        assert call(BLANK, enforce_detection=False) == []
    with pytest.raises(DeepFace.FaceNotDetected):
        DeepFace.verify(BLANK, bush[0])
    result = DeepFace.verify(BLANK, BLANK, enforce_detection=False)
    assert not result["verified"] and result["distance"] == math.inf and result["confidence"] == 0
    assert result["evidence"]["pairs"] == 0
    shutil.copy(bush[0], tmp_path)
    assert DeepFace.find(BLANK, str(tmp_path), enforce_detection=False) == []


def test_represent_gives_unit_vectors_in_deepfaces_shape(bush: list[str]) -> None:
    (face,) = DeepFace.represent(bush[0])
    assert shape_of(face) == GOLDEN["results"]["represent"]
    assert len(face["embedding"]) == 128 and all(type(value) is float for value in face["embedding"])
    assert np.linalg.norm(face["embedding"]) == pytest.approx(1, abs=1e-6)
    assert DeepFace.represent(bush[0], l2_normalize=True)[0]["embedding"] == face["embedding"]
    assert DeepFace.represent(bush[0], return_face=True)[0]["face"].ndim == 3


def test_lists_and_stacks_are_batches(bush: list[str]) -> None:
    batch = DeepFace.represent(bush[:2])
    for faces, photo in zip(batch, bush[:2], strict=True):
        assert np.allclose(faces[0]["embedding"], DeepFace.represent(photo)[0]["embedding"], atol=1e-5)
    assert isinstance(DeepFace.represent(bush[:1])[0], dict)  # a list of one is as good as its picture, as there
    assert [len(faces) for faces in DeepFace.extract_faces(bush[:2])] == [1, 1]
    stack = np.stack([bgr(bush[0]), bgr(bush[1])])
    assert len(DeepFace.extract_faces(stack)) == len(DeepFace.represent(stack)) == 2


def test_extracted_faces_have_deepfaces_shape(bush: list[str]) -> None:
    (face,) = DeepFace.extract_faces(bush[0])
    area = face["facial_area"]
    assert shape_of(face) == GOLDEN["results"]["extract_faces"]
    assert shape_of(area) == GOLDEN["results"]["facial_area"]
    assert area["left_eye"][0] > area["right_eye"][0]  # the subject's
    assert face["face"].dtype == np.float64 and 0 <= face["face"].min() < face["face"].max() <= 1
    assert abs(face["face"].shape[0] - area["h"]) <= 1 and abs(face["face"].shape[1] - area["w"]) <= 1
    raw = DeepFace.extract_faces(bush[0], normalize_face=False)[0]["face"]
    assert raw.dtype == np.uint8 and np.array_equal(raw / 255, face["face"])
    assert np.array_equal(DeepFace.extract_faces(bush[0], color_face="bgr")[0]["face"][..., ::-1], face["face"])
    assert DeepFace.extract_faces(bush[0], color_face="gray")[0]["face"].ndim == 2
    wide = DeepFace.extract_faces(bush[0], expand_percentage=40)[0]["facial_area"]
    assert wide["w"] == pytest.approx(1.4 * area["w"], abs=2) and wide["h"] == pytest.approx(1.4 * area["h"], abs=2)


def test_align_levels_the_eyes(bush: list[str]) -> None:
    picture = bgr(bush[0])
    height, width = picture.shape[:2]
    leaning = cv2.warpAffine(picture, cv2.getRotationMatrix2D((width / 2, height / 2), 20, 1), (width, height))

    def lean(face: np.ndarray) -> float:
        """Degrees by which the eyes in a face cut out are off level."""
        wide = cv2.copyMakeBorder(np.uint8(face[..., ::-1] * 255), 60, 60, 60, 60, cv2.BORDER_REPLICATE)
        eyes = DeepFace.extract_faces(wide)[0]["facial_area"]
        (x0, y0), (x1, y1) = eyes["right_eye"], eyes["left_eye"]
        return abs(math.degrees(math.atan2(y1 - y0, x1 - x0)))

    upright, crooked = (DeepFace.extract_faces(leaning, align=align)[0]["face"] for align in (True, False))
    assert lean(upright) < 6 < 12 < lean(crooked)


def test_faces_come_largest_first_and_can_be_limited(group: str) -> None:
    def sizes(faces: list[dict[str, Any]]) -> list[int]:
        return [face["facial_area"]["w"] * face["facial_area"]["h"] for face in faces]

    every = DeepFace.extract_faces(group)
    assert len(DeepFace.extract_faces(group, max_faces=2)) == len(DeepFace.represent(group, max_faces=2)) == 2
    assert sizes(every[:1])[0] >= max(sizes(every)) * 0.98
    assert sizes(DeepFace.extract_faces(group, max_faces=2)) == sizes(every)[:2]


def test_all_doors_lead_to_the_same_picture(bush: list[str], tmp_path: Path) -> None:
    content = Path(bush[0]).read_bytes()
    uri = "data:image/jpeg;base64," + base64.b64encode(content).decode()
    open_file = io.BytesIO(content)
    open_file.read(10)
    areas = [
        DeepFace.extract_faces(picture)[0]["facial_area"]
        for picture in (bush[0], Path(bush[0]), uri, open_file, bgr(bush[0]), bgr(bush[0]) / 255)
    ]
    assert all(area == areas[0] for area in areas)
    assert len(DeepFace.extract_faces(np.dstack([bgr(bush[0]), np.full((250, 250), 255, np.uint8)]))) == 1
    assert len(DeepFace.extract_faces(cv2.cvtColor(bgr(bush[0]), cv2.COLOR_BGR2GRAY))) == 1


def test_arrays_are_bgr(bush: list[str]) -> None:
    right, swapped = (DeepFace.extract_faces(array)[0]["face"] for array in (bgr(bush[0]), bgr(bush[0])[..., ::-1]))
    red, green, blue = right.reshape(-1, 3).mean(0)
    assert red > green > blue  # skin
    assert swapped.reshape(-1, 3).mean(0)[2] > swapped.reshape(-1, 3).mean(0)[0]


BAD_PICTURES: dict[str, tuple[Any, type[ValueError]]] = {
    "no such file": ("nowhere.jpg", DeepFace.ImgNotFound),
    "an address": ("https://example.org/face.jpg", DeepFace.UnimplementedError),
    "text": (io.BytesIO(b"hello"), DeepFace.DataTypeError),
    "open as text": (io.StringIO("hello"), DeepFace.DataTypeError),
    "bad base64": ("data:image/png;base64,@@@", DeepFace.DataTypeError),
    "no base64": ("data:image/png,abc", DeepFace.DataTypeError),
    "a number": (7, DeepFace.DataTypeError),
    "one row": (np.zeros(5, np.uint8), DeepFace.DataTypeError),
    "empty": (np.zeros((0, 5, 3), np.uint8), DeepFace.DataTypeError),
    "NaN": (np.full((50, 50, 3), np.nan), DeepFace.DataTypeError),
    "too bright": (np.full((50, 50, 3), 1e6), DeepFace.DataTypeError),
}


@pytest.mark.parametrize("case", BAD_PICTURES)
def test_bad_pictures_raise_deepfaces_names(case: str) -> None:
    picture, kind = BAD_PICTURES[case]
    with pytest.raises(kind) as error:
        DeepFace.extract_faces(picture)
    assert isinstance(error.value, MienError) and error.value.remedy


REFUSED: dict[str, Callable[[str], Any]] = {
    "model_name='VGG-Face'": lambda photo: DeepFace.represent(photo, model_name="VGG-Face"),
    "detector_backend='opencv'": lambda photo: DeepFace.extract_faces(photo, detector_backend="opencv"),
    "distance_metric 'manhattan'": lambda photo: DeepFace.verify(photo, photo, distance_metric="manhattan"),
    "align=False": lambda photo: DeepFace.verify(photo, photo, align=False),
    "align=0": lambda photo: DeepFace.represent(photo, align=0),  # type: ignore[arg-type]
    "expand_percentage=10": lambda photo: DeepFace.represent(photo, expand_percentage=10),
    "normalization='ArcFace'": lambda photo: DeepFace.find(photo, ".", normalization="ArcFace"),
    "anti_spoofing=True": lambda photo: DeepFace.extract_faces(photo, anti_spoofing=True),
    "minmax_normalize=True": lambda photo: DeepFace.represent(photo, minmax_normalize=True),
    "color_face 'cmyk'": lambda photo: DeepFace.extract_faces(photo, color_face="cmyk"),
    "datastore_format='feather'": lambda photo: DeepFace.find(photo, ".", datastore_format="feather"),
    "return_type 'xml'": lambda photo: DeepFace.find(photo, ".", return_type="xml"),
    "s3://": lambda photo: DeepFace.find(photo, "s3://bucket/faces"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_honoured_is_refused_with_a_remedy(case: str, bush: list[str]) -> None:
    with pytest.raises(DeepFace.UnimplementedError) as error:
        REFUSED[case](bush[0])
    assert case in error.value.message and error.value.remedy


def test_models_and_detectors_go_by_either_name(bush: list[str]) -> None:
    assert DeepFace.represent(bush[0], model_name="dlib_resnet") == DeepFace.represent(bush[0], model_name="Dlib")
    assert (
        DeepFace.extract_faces(bush[0], "fastmtcnn")[0]["facial_area"]
        == DeepFace.extract_faces(bush[0])[0]["facial_area"]
    )
    assert len(DeepFace.extract_faces(bush[0], "dlib_mmod")) == 1


def test_skip_takes_a_face_cut_out_and_still_wants_one(bush: list[str]) -> None:
    cut_out = DeepFace.extract_faces(bush[0], expand_percentage=20, color_face="bgr")[0]["face"]
    (face,) = DeepFace.represent(cut_out, detector_backend="skip")
    (whole,) = DeepFace.represent(bush[0])
    assert np.dot(face["embedding"], whole["embedding"]) > 0.97
    with pytest.raises(DeepFace.FaceNotDetected):
        DeepFace.represent(BLANK, detector_backend="skip")


def test_find_names_the_pictures_of_the_person(bush: list[str], database: Path) -> None:
    (rows,) = DeepFace.find(bush[0], str(database), return_type="dict")
    assert shape_of(rows[0]) == GOLDEN["results"]["find"] and list(rows[0]) == list(folder.COLUMNS)
    assert {Path(row["identity"]).parent.name for row in rows} == {"George"} and len(rows) == 2
    assert all(Path(row["identity"]).is_file() for row in rows)
    distances = [row["distance"] for row in rows]
    assert distances == sorted(distances) and all(row["distance"] <= row["threshold"] for row in rows)
    everybody = DeepFace.find(bush[0], str(database), return_type="dict", similarity_search=True)[0]
    assert len(everybody) == 4
    assert DeepFace.find(bush[0], str(database), return_type="dict", k=1)[0] == rows[:1]
    assert not DeepFace.find(bush[0], str(database), return_type="dict", threshold=-1.0)[0]


def test_find_gives_data_frames_where_pandas_is(
    bush: list[str], database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    (frame,) = DeepFace.find(bush[0], str(database))
    (rows,) = DeepFace.find(bush[0], str(database), return_type="dict")
    assert isinstance(frame, pandas.DataFrame) and frame.to_dict("records") == rows
    (empty,) = DeepFace.find(bush[0], str(database), threshold=-1.0)
    assert list(empty.columns) == list(folder.COLUMNS) and not len(empty)
    monkeypatch.setattr(folder, "find_spec", lambda name: None)
    assert DeepFace.find(bush[0], str(database)) == [rows]
    with pytest.raises(ValueError, match="needs the package pandas"):
        DeepFace.find(bush[0], str(database), return_type="pandas")


def test_find_gives_one_result_per_face(group: str, database: Path) -> None:
    assert len(DeepFace.find(group, str(database), return_type="dict")) == len(DeepFace.extract_faces(group))


def test_find_calls_a_metric_once_for_dicts_and_by_pair_for_frames(bush: list[str], database: Path) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    calls = []

    def metric(one: np.ndarray, other: np.ndarray) -> Any:
        calls.append((one.shape, other.shape))
        if one.ndim == 1:
            return np.linalg.norm(one - other)
        return np.linalg.norm(other[:, None] - one[None], axis=2)

    (rows,) = DeepFace.find(bush[0], str(database), distance_metric=metric, threshold=2.0, return_type="dict")
    assert calls == [((4, 128), (1, 128))] and len(rows) == 4
    (frame,) = DeepFace.find(bush[0], str(database), distance_metric=metric, threshold=2.0, return_type="pandas")
    assert len(calls) == 5 and calls[-1] == ((128,), (128,))
    assert np.allclose(frame["distance"], [row["distance"] for row in rows])


def test_the_store_follows_the_folder(
    bush: list[str], powell: list[str], database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    DeepFace.find(bush[0], str(database), return_type="dict")
    (stored,) = database.glob("ds_mien_*.npz")
    read_again: list[str] = []
    real = folder.read
    monkeypatch.setattr(folder, "read", lambda picture: read_again.append(str(picture)) or real(picture))

    def seen() -> set[str]:
        (rows,) = DeepFace.find(bush[0], str(database), similarity_search=True, return_type="dict")
        return {Path(row["identity"]).name for row in rows}

    before = seen()
    assert read_again == [bush[0]]  # the folder was not read again
    shutil.copy(bush[3], database)
    assert seen() == before | {Path(bush[3]).name}
    (database / Path(bush[3]).name).unlink()
    assert seen() == before
    replaced = next((database / "George").glob("*.jpg"))
    shutil.copy(powell[0], replaced)
    os.utime(replaced, (1, 1))
    (rows,) = DeepFace.find(bush[0], str(database), return_type="dict")
    assert len(rows) == 1
    shutil.copy(bush[3], database)
    frozen = DeepFace.find(bush[0], str(database), similarity_search=True, return_type="dict", refresh_database=False)[
        0
    ]
    assert len(frozen) == 4
    stored.write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="is made again"):
        assert len(seen()) == 5


def test_find_names_what_it_passed_over(bush: list[str], database: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(database / "wall.png"), BLANK)
    (database / "cut.jpg").write_bytes(Path(bush[0]).read_bytes()[:2000])
    with pytest.warns(UserWarning, match=r"2 of 6 pictures.*cut\.jpg.*wall\.png"):
        DeepFace.find(bush[0], str(database))
    (rows,) = DeepFace.find(bush[0], str(database), similarity_search=True, return_type="dict")  # and says so once
    assert len(rows) == 4
    (database / "wall2.png").write_bytes((database / "wall.png").read_bytes())
    DeepFace.find(bush[0], str(database), silent=True)  # warnings are errors here
    (tmp_path / "empty").mkdir()
    with pytest.raises(DeepFace.EmptyDatasource, match="no picture"):
        DeepFace.find(bush[0], str(tmp_path / "empty"))
    with pytest.raises(DeepFace.PathNotFound, match="no folder"):
        DeepFace.find(bush[0], str(tmp_path / "nowhere"))


def test_confidence_is_a_place_between_threshold_and_ends() -> None:
    assert [confidence(distance, 0.1) for distance in (0.0, 0.05, 0.1)] == [100.0, 75.5, 51.0]
    assert 49 > confidence(0.11, 0.1) > confidence(0.2, 0.1) > confidence(2.0, 0.1) > confidence(math.inf, 0.1) == 0
