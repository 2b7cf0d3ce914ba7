"""Faces of a collection, by the vendor's client."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError
from fastapi.testclient import TestClient

from mien import Template
from mien.errors import UnknownSubject
from mien.serve.erasing import forgotten
from mien.serve.rekognition.desk import face_id

NOBODY = "00000000-0000-4000-8000-000000000000"


def test_every_face_of_a_picture_is_indexed_largest_first(aws: Any, collection: str, stubs: Any) -> None:
    found = aws.index_faces(
        CollectionId=collection, Image={"Bytes": stubs.picture(stubs.RED, stubs.BLUE)}, ExternalImageId="door:1"
    )
    assert found["UnindexedFaces"] == []
    assert "OrientationCorrection" not in found
    first, second = (one["Face"] for one in found["FaceRecords"])
    assert first["FaceId"] != second["FaceId"]
    assert first["ImageId"] == second["ImageId"]
    assert first["ExternalImageId"] == second["ExternalImageId"] == "door:1"
    assert first["BoundingBox"] == {"Width": 0.5, "Height": 1, "Left": 0, "Top": 0}
    assert second["BoundingBox"]["Left"] == 0.5
    assert first["Confidence"] == pytest.approx(99)
    detail = found["FaceRecords"][0]["FaceDetail"]
    assert {"BoundingBox", "Confidence", "Landmarks", "Pose", "Quality"} == set(detail)


def test_the_same_picture_again_adds_nothing(
    aws: Any, collection: str, indexed: Callable[..., str], stubs: Any
) -> None:
    first = indexed(stubs.RED, ExternalImageId="a")
    assert indexed(stubs.RED, ExternalImageId="a") == first
    assert aws.describe_collection(CollectionId=collection)["FaceCount"] == 1
    assert indexed(stubs.RED, ExternalImageId="b") != first
    assert indexed(stubs.RED) != first
    assert aws.describe_collection(CollectionId=collection)["FaceCount"] == 3


def test_the_same_picture_again_adds_nothing_though_its_template_differs_in_the_last_digits(
    live: Any, collection: str, indexed: Callable[..., str], stubs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = indexed(stubs.RED)
    template = stubs.Colours._template
    turned = np.roll(np.eye(16, dtype=np.float32), 3, 1)
    monkeypatch.setattr(
        stubs.Colours, "_template", lambda one, face: Template(turned @ template(one, face).vector, "colours")
    )
    assert indexed(stubs.RED) == number
    assert live.service.galleries.open("default", collection).person(number).samples == 1


def test_more_faces_than_wanted(aws: Any, collection: str, stubs: Any) -> None:
    image = {"Bytes": stubs.picture(stubs.RED, stubs.GREEN, stubs.BLUE)}
    found = aws.index_faces(CollectionId=collection, Image=image, MaxFaces=1)
    assert len(found["FaceRecords"]) == 1
    assert [one["Reasons"] for one in found["UnindexedFaces"]] == [["EXCEEDS_MAX_FACES"]] * 2
    assert found["UnindexedFaces"][0]["FaceDetail"]["BoundingBox"]["Left"] == pytest.approx(1 / 3, abs=1e-4)
    assert aws.describe_collection(CollectionId=collection)["FaceCount"] == 1


def test_a_picture_without_faces(aws: Any, collection: str, stubs: Any) -> None:
    empty = {"Bytes": stubs.picture((0, 0, 0))}
    found = aws.index_faces(CollectionId=collection, Image=empty)
    assert (found["FaceRecords"], found["UnindexedFaces"]) == ([], [])
    with pytest.raises(aws.exceptions.InvalidParameterException) as caught:
        aws.search_faces_by_image(CollectionId=collection, Image=empty)
    # Clients compare this sentence, to the full stop.
    assert caught.value.response["Error"]["Message"] == "There are no faces in the image. Should be at least 1."


def test_faces_are_listed_by_pages(aws: Any, collection: str, indexed: Callable[..., str], stubs: Any) -> None:
    numbers = sorted(indexed(stubs.RED, ExternalImageId=f"p{number}") for number in range(5))
    pages = list(aws.get_paginator("list_faces").paginate(CollectionId=collection, PaginationConfig={"PageSize": 2}))
    assert [[one["FaceId"] for one in page["Faces"]] for page in pages] == [numbers[:2], numbers[2:4], numbers[4:]]
    assert {one["ExternalImageId"] for page in pages for one in page["Faces"]} == {f"p{number}" for number in range(5)}
    some = {"CollectionId": collection, "FaceIds": [*numbers[::2], NOBODY], "MaxResults": 2}
    first = aws.list_faces(**some)
    rest = aws.list_faces(**some, NextToken=first["NextToken"])
    assert [one["FaceId"] for one in first["Faces"] + rest["Faces"]] == numbers[::2]
    assert "NextToken" not in rest
    with pytest.raises(aws.exceptions.InvalidPaginationTokenException):  # of a list with another filter
        aws.list_faces(CollectionId=collection, NextToken=first["NextToken"])
    version = aws.describe_collection(CollectionId=collection)["FaceModelVersion"]
    assert first["FaceModelVersion"] == first["Faces"][0]["IndexFacesModelVersion"] == version


def test_faces_that_look_alike(aws: Any, collection: str, indexed: Callable[..., str], stubs: Any) -> None:
    red, like, blue = indexed(stubs.RED), indexed(stubs.RED, noise=3), indexed(stubs.BLUE)
    found = aws.search_faces(CollectionId=collection, FaceId=red)
    assert found["SearchedFaceId"] == red
    assert [one["Face"]["FaceId"] for one in found["FaceMatches"]] == [like]
    assert 90 < found["FaceMatches"][0]["Similarity"] < 100
    all_ = aws.search_faces(CollectionId=collection, FaceId=red, FaceMatchThreshold=0)["FaceMatches"]
    assert [one["Face"]["FaceId"] for one in all_] == [like, blue]
    assert all_[1]["Similarity"] == 0
    only = aws.search_faces(CollectionId=collection, FaceId=red, FaceMatchThreshold=0, MaxFaces=1)
    assert [one["Face"]["FaceId"] for one in only["FaceMatches"]] == [like]
    assert aws.search_faces(CollectionId=collection, FaceId=red, FaceMatchThreshold=100)["FaceMatches"] == []
    with pytest.raises(aws.exceptions.InvalidParameterException, match=f"faceId {NOBODY} was not found"):
        aws.search_faces(CollectionId=collection, FaceId=NOBODY)


def test_the_largest_face_of_a_picture_is_searched(
    aws: Any, collection: str, indexed: Callable[..., str], stubs: Any
) -> None:
    red, _ = indexed(stubs.RED), indexed(stubs.BLUE)
    picture = {"Bytes": stubs.picture(stubs.RED, stubs.BLUE, noise=2)}
    found = aws.search_faces_by_image(CollectionId=collection, Image=picture, QualityFilter="HIGH")
    assert found["SearchedFaceBoundingBox"] == {"Width": 0.5, "Height": 1, "Left": 0, "Top": 0}
    assert found["SearchedFaceConfidence"] == pytest.approx(99)
    assert [one["Face"]["FaceId"] for one in found["FaceMatches"]] == [red]
    nobody = aws.search_faces_by_image(CollectionId=collection, Image={"Bytes": stubs.picture(stubs.GREEN)})
    assert nobody["FaceMatches"] == []


def test_an_empty_collection_is_searched(aws: Any, collection: str, stubs: Any) -> None:
    found = aws.search_faces_by_image(CollectionId=collection, Image={"Bytes": stubs.picture(stubs.RED)})
    assert found["FaceMatches"] == []
    assert aws.list_faces(CollectionId=collection)["Faces"] == []


def test_faces_are_deleted_with_a_receipt(
    live: Any, aws: Any, collection: str, indexed: Callable[..., str], stubs: Any
) -> None:
    gone, kept, owned = indexed(stubs.RED), indexed(stubs.GREEN), indexed(stubs.BLUE)
    aws.create_user(CollectionId=collection, UserId="ben")
    aws.associate_faces(CollectionId=collection, UserId="ben", FaceIds=[owned])
    found = aws.delete_faces(CollectionId=collection, FaceIds=[gone, NOBODY, owned, gone])
    assert found["DeletedFaces"] == [gone]
    assert found["UnsuccessfulFaceDeletions"] == [
        {"FaceId": NOBODY, "Reasons": ["FACE_NOT_FOUND"]},
        {"FaceId": owned, "UserId": "ben", "Reasons": ["ASSOCIATED_TO_AN_EXISTING_USER"]},
    ]
    assert {one["FaceId"] for one in aws.list_faces(CollectionId=collection)["Faces"]} == {kept, owned}
    assert [one["samples"] for one in live.service.receipts.listed("default") if one["gallery"] == collection] == [1]


def test_faces_that_cannot_be_erased_in_time_are_told(
    aws: Any, collection: str, indexed: Callable[..., str], stubs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = indexed(stubs.RED), indexed(stubs.GREEN)
    monkeypatch.setattr("mien.serve.rekognition.faces._PATIENCE", -1.0)
    found = aws.delete_faces(CollectionId=collection, FaceIds=[first, second])
    assert found["DeletedFaces"] == [first]  # one always goes, so that trying again comes to an end
    assert found["UnsuccessfulFaceDeletions"] == [{"FaceId": second, "Reasons": []}]


def test_faces_are_subjects_of_a_gallery(
    live: Any, aws: Any, collection: str, indexed: Callable[..., str], stubs: Any
) -> None:
    number = indexed(stubs.RED, ExternalImageId="x")
    key = live.service.keys.make("rest", "admin", "default")
    http = TestClient(live.app, headers={"authorization": f"Bearer {key}"})  # without its lifespan: the service runs
    answer = http.post(f"/v1/galleries/{collection}/identify", files={"image": stubs.picture(stubs.RED, noise=2)})
    assert answer.json()["decisions"][0]["subject"] == number
    person = live.service.galleries.open("default", collection).person(number)
    assert (person.samples, person.images) == (1, 0)  # the protocol promises that the picture is not kept
    assert person.metadata["ExternalImageId"] == "x"


def test_people_enrolled_otherwise_are_faces(live: Any, aws: Any, collection: str, stubs: Any) -> None:
    gallery = live.service.galleries.open("default", collection)
    name = 'Zoë "赤" <b>/../'
    live.service.engine.enrol(gallery, name, [stubs.picture(stubs.RED), stubs.picture(stubs.RED, noise=1)])
    number = face_id(name)
    (face,) = aws.list_faces(CollectionId=collection)["Faces"]
    assert face == {"FaceId": number}
    assert uuid.UUID(number).version == 5
    match = aws.search_faces_by_image(CollectionId=collection, Image={"Bytes": stubs.picture(stubs.RED, noise=4)})
    assert [one["Face"]["FaceId"] for one in match["FaceMatches"]] == [number]
    assert aws.search_faces(CollectionId=collection, FaceId=number)["FaceMatches"] == []
    assert aws.list_faces(CollectionId=collection, FaceIds=[number])["Faces"] == [face]
    assert aws.delete_faces(CollectionId=collection, FaceIds=[number])["DeletedFaces"] == [number]
    assert name not in gallery


def test_metadata_that_others_wrote_breaks_no_answer(live: Any, aws: Any, collection: str, stubs: Any) -> None:
    gallery = live.service.galleries.open("default", collection)
    odd = {"BoundingBox": {"Width": "wide"}, "ImageId": 3, "Confidence": True, "ExternalImageId": None}
    live.service.engine.enrol(gallery, "ana", [stubs.picture(stubs.RED)], metadata=odd)
    assert aws.list_faces(CollectionId=collection)["Faces"] == [{"FaceId": face_id("ana")}]


def test_a_face_that_is_erased_elsewhere_is_gone_here(
    live: Any, aws: Any, collection: str, indexed: Callable[..., str], stubs: Any
) -> None:
    number = indexed(stubs.RED)
    aws.create_user(CollectionId=collection, UserId="ana")
    aws.associate_faces(CollectionId=collection, UserId="ana", FaceIds=[number])
    caller = live.service.keys.caller(live.service.keys.make("rest", "operator", "default"))
    forgotten(live.service, caller, collection, number)
    assert aws.list_faces(CollectionId=collection)["Faces"] == []
    assert aws.list_faces(CollectionId=collection, UserId="ana")["Faces"] == []
    image = {"Bytes": stubs.picture(stubs.RED)}
    assert aws.search_faces_by_image(CollectionId=collection, Image=image)["FaceMatches"] == []
    assert aws.search_users_by_image(CollectionId=collection, Image=image)["UserMatches"] == []
    assert aws.list_users(CollectionId=collection)["Users"] == [{"UserId": "ana", "UserStatus": "CREATED"}]
    with pytest.raises(UnknownSubject):
        forgotten(live.service, caller, collection, number)


def test_a_key_that_is_revoked_while_the_models_work_changes_nothing(
    serving: Any, stubs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = serving(stubs.engine())
    live.client().create_collection(CollectionId="c")
    key = live.service.keys.make("late", "operator", "default")
    detect = stubs.Colours.detect
    monkeypatch.setattr(
        stubs.Colours, "detect", lambda one, frames: live.service.keys.revoke(key.split("_")[1]) and detect(one, frames)
    )
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        live.client(key=key).index_faces(CollectionId="c", Image={"Bytes": stubs.picture(stubs.RED)})
    assert len(live.service.galleries.open("default", "c")) == 0


def test_a_full_queue_throttles(serving: Any, stubs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    detect = stubs.Colours.detect
    monkeypatch.setattr(stubs.Colours, "detect", lambda one, frames: time.sleep(0.3) or detect(one, frames))
    live = serving(stubs.engine(), threads=1, queue=1)
    client = live.client(max_pool_connections=6)

    def ask(_: int) -> str:
        try:
            client.detect_faces(Image={"Bytes": stubs.picture(stubs.RED)})
        except ClientError as error:
            assert int(error.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"]) >= 1
            return str(error.response["Error"]["Code"])
        return "good"

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(ask, range(6))) == {"good", "ThrottlingException"}


def test_a_body_that_is_too_long(serving: Any, stubs: Any) -> None:
    client = serving(stubs.engine(), max_bytes=2000).client()
    with pytest.raises(ClientError, match="RequestEntityTooLargeException"):
        client.detect_faces(Image={"Bytes": bytes(3000)})


def test_refusals(aws: Any, collection: str, stubs: Any) -> None:
    good = {"Bytes": stubs.picture(stubs.RED)}
    refused = aws.exceptions.InvalidParameterException
    with pytest.raises(aws.exceptions.ResourceNotFoundException):
        aws.index_faces(CollectionId="nowhere", Image=good)
    for wrong in (
        {"ExternalImageId": "no spaces"},
        {"QualityFilter": "FINE"},
        {"DetectionAttributes": ["SHOE_SIZE"]},
    ):
        with pytest.raises(refused):
            aws.index_faces(CollectionId=collection, Image=good, **wrong)
    for wrong in ({"FaceMatchThreshold": 101}, {"MaxFaces": 5000}):
        with pytest.raises(refused):
            aws.search_faces_by_image(CollectionId=collection, Image=good, **wrong)
    with pytest.raises(ClientError, match="SerializationException"):
        aws.search_faces_by_image(CollectionId=collection, Image=good, FaceMatchThreshold=float("nan"))
    with pytest.raises(refused):
        aws.delete_faces(CollectionId=collection, FaceIds=["not-a-face"])
    with pytest.raises(aws.exceptions.InvalidS3ObjectException):
        aws.index_faces(CollectionId=collection, Image={"S3Object": {"Bucket": "pictures", "Name": "a.jpg"}})
    for broken in (b"no picture", stubs.picture(stubs.RED)[:-40], stubs.picture(stubs.RED, form="GIF")):
        with pytest.raises(aws.exceptions.InvalidImageFormatException):
            aws.index_faces(CollectionId=collection, Image={"Bytes": broken})
    with pytest.raises(aws.exceptions.ImageTooLargeException, match="5242880"):
        aws.index_faces(CollectionId=collection, Image={"Bytes": bytes(5_242_881)})
