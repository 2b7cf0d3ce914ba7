"""Users: faces under one name, by the vendor's client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def user(aws: Any, collection: str) -> Callable[..., str]:
    """Makes a user with these faces."""

    def make(name: str, *faces: str) -> str:
        aws.create_user(CollectionId=collection, UserId=name)
        if faces:
            done = aws.associate_faces(CollectionId=collection, UserId=name, FaceIds=list(faces), UserMatchThreshold=0)
            assert len(done["AssociatedFaces"]) == len(faces)
        return name

    return make


def test_users_are_made_listed_by_pages_and_deleted(aws: Any, collection: str, user: Callable[..., str]) -> None:
    names = [user(f"u:{number}") for number in range(5)]
    pages = list(aws.get_paginator("list_users").paginate(CollectionId=collection, PaginationConfig={"PageSize": 2}))
    assert [[one["UserId"] for one in page["Users"]] for page in pages] == [names[:2], names[2:4], names[4:]]
    assert {one["UserStatus"] for page in pages for one in page["Users"]} == {"CREATED"}
    with pytest.raises(aws.exceptions.ConflictException):
        user(names[0])
    aws.delete_user(CollectionId=collection, UserId=names[0])
    with pytest.raises(aws.exceptions.ResourceNotFoundException):
        aws.delete_user(CollectionId=collection, UserId=names[0])
    assert [one["UserId"] for one in aws.list_users(CollectionId=collection)["Users"]] == names[1:]
    with pytest.raises(aws.exceptions.InvalidPaginationTokenException):
        aws.list_users(CollectionId=collection, NextToken="x")


def test_faces_are_associated(aws: Any, collection: str, user: Callable[..., str], indexed: Any, stubs: Any) -> None:
    red, like, blue = indexed(stubs.RED), indexed(stubs.RED, noise=3), indexed(stubs.BLUE)
    user("ana")
    user("ben", blue)
    found = aws.associate_faces(CollectionId=collection, UserId="ana", FaceIds=[red, NOBODY, blue])
    assert found["AssociatedFaces"] == [{"FaceId": red}]
    assert found["UserStatus"] == "ACTIVE"
    assert found["UnsuccessfulFaceAssociations"] == [
        {"FaceId": NOBODY, "Reasons": ["FACE_NOT_FOUND"]},
        {"FaceId": blue, "UserId": "ben", "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"]},
    ]
    again = aws.associate_faces(CollectionId=collection, UserId="ana", FaceIds=[red, like])
    assert again["AssociatedFaces"] == [{"FaceId": like}]  # the one that is theirs already is passed over
    assert again["UnsuccessfulFaceAssociations"] == []
    listed = {one["FaceId"]: one.get("UserId") for one in aws.list_faces(CollectionId=collection)["Faces"]}
    assert listed == {red: "ana", like: "ana", blue: "ben"}
    only = aws.list_faces(CollectionId=collection, UserId="ana")["Faces"]
    assert {one["FaceId"] for one in only} == {red, like}
    both = aws.list_faces(CollectionId=collection, UserId="ana", FaceIds=[like, blue])["Faces"]
    assert [one["FaceId"] for one in both] == [like]
    with pytest.raises(aws.exceptions.ResourceNotFoundException):
        aws.list_faces(CollectionId=collection, UserId="nobody")
    with pytest.raises(aws.exceptions.ResourceNotFoundException):
        aws.associate_faces(CollectionId=collection, UserId="nobody", FaceIds=[red])


def test_a_face_unlike_the_others_is_not_associated(
    aws: Any, collection: str, user: Callable[..., str], indexed: Any, stubs: Any
) -> None:
    red, green = indexed(stubs.RED), indexed(stubs.GREEN)
    user("ana", red)
    found = aws.associate_faces(CollectionId=collection, UserId="ana", FaceIds=[green])
    (left,) = found["UnsuccessfulFaceAssociations"]
    assert left == {"FaceId": green, "UserId": "ana", "Confidence": 0.0, "Reasons": ["LOW_MATCH_CONFIDENCE"]}
    assert found["UserStatus"] == "ACTIVE"
    forced = aws.associate_faces(CollectionId=collection, UserId="ana", FaceIds=[green], UserMatchThreshold=0)
    assert forced["AssociatedFaces"] == [{"FaceId": green}]


def test_a_user_holds_a_hundred_faces(
    live: Any, aws: Any, collection: str, user: Any, indexed: Any, stubs: Any
) -> None:
    user("ana")
    red, like = indexed(stubs.RED), indexed(stubs.RED, noise=1)
    live.service.rekognition._desk.book.associate(
        "default", collection, "ana", [NOBODY[:-2] + f"{n:02}" for n in range(99)]
    )
    found = aws.associate_faces(CollectionId=collection, UserId="ana", FaceIds=[red, like])
    assert found["AssociatedFaces"] == [{"FaceId": red}]
    assert found["UnsuccessfulFaceAssociations"] == [{"FaceId": like, "UserId": "ana", "Reasons": []}]
    with pytest.raises(aws.exceptions.ServiceQuotaExceededException):
        aws.associate_faces(CollectionId=collection, UserId="ana", FaceIds=[like])


def test_faces_are_disassociated(aws: Any, collection: str, user: Callable[..., str], indexed: Any, stubs: Any) -> None:
    red, blue, free = indexed(stubs.RED), indexed(stubs.BLUE), indexed(stubs.GREEN)
    user("ana", red)
    user("ben", blue)
    found = aws.disassociate_faces(CollectionId=collection, UserId="ana", FaceIds=[red, blue, free, NOBODY])
    assert found["DisassociatedFaces"] == [{"FaceId": red}]
    assert found["UserStatus"] == "CREATED"
    assert found["UnsuccessfulFaceDisassociations"] == [
        {"FaceId": blue, "UserId": "ben", "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"]},
        {"FaceId": NOBODY, "Reasons": ["FACE_NOT_FOUND"]},
    ]
    assert aws.search_users(CollectionId=collection, FaceId=red)["UserMatches"] == []
    with pytest.raises(aws.exceptions.ResourceNotFoundException):
        aws.disassociate_faces(CollectionId=collection, UserId="nobody", FaceIds=[red])


def test_users_are_searched(aws: Any, collection: str, user: Callable[..., str], indexed: Any, stubs: Any) -> None:
    red, like, blue, free = (
        indexed(stubs.RED),
        indexed(stubs.RED, noise=3),
        indexed(stubs.BLUE),
        indexed(stubs.RED, noise=5),
    )
    user("ana", red)
    user("anna", like)
    user("ben", blue)
    found = aws.search_users(CollectionId=collection, FaceId=free)
    assert found["SearchedFace"] == {"FaceId": free}
    assert {one["User"]["UserId"] for one in found["UserMatches"]} == {"ana", "anna"}
    assert all(80 <= one["Similarity"] < 100 and one["User"]["UserStatus"] == "ACTIVE" for one in found["UserMatches"])
    twins = aws.search_users(CollectionId=collection, UserId="ana")
    assert twins["SearchedUser"] == {"UserId": "ana"}
    assert [one["User"]["UserId"] for one in twins["UserMatches"]] == ["anna"]
    everyone = aws.search_users(CollectionId=collection, UserId="ana", UserMatchThreshold=0)["UserMatches"]
    assert [one["User"]["UserId"] for one in everyone] == ["anna", "ben"]
    assert len(aws.search_users(CollectionId=collection, FaceId=free, MaxUsers=1)["UserMatches"]) == 1
    for wrong in ({}, {"FaceId": free, "UserId": "ana"}, {"FaceId": NOBODY}):
        with pytest.raises(aws.exceptions.InvalidParameterException):
            aws.search_users(CollectionId=collection, **wrong)
    with pytest.raises(aws.exceptions.ResourceNotFoundException):
        aws.search_users(CollectionId=collection, UserId="nobody")


def test_users_are_found_behind_many_faces_without_one(
    live: Any, aws: Any, collection: str, user: Callable[..., str], indexed: Any, stubs: Any, monkeypatch: Any
) -> None:
    probe = indexed(stubs.RED)
    for noise in range(1, 7):
        indexed(stubs.RED, noise=noise)
    user("ben", indexed(stubs.BLUE))
    monkeypatch.setattr("mien.serve.rekognition.users.FULLEST", 0)  # so that four faces are looked at first
    found = aws.search_users(CollectionId=collection, FaceId=probe, UserMatchThreshold=0, MaxUsers=1)
    assert [one["User"]["UserId"] for one in found["UserMatches"]] == ["ben"]


def test_users_are_searched_by_a_picture(aws: Any, collection: str, user: Any, indexed: Any, stubs: Any) -> None:
    user("ana", indexed(stubs.RED))
    picture = {"Bytes": stubs.picture(stubs.RED, stubs.BLUE, noise=2)}
    found = aws.search_users_by_image(CollectionId=collection, Image=picture)
    assert [one["User"]["UserId"] for one in found["UserMatches"]] == ["ana"]
    assert found["SearchedFace"]["FaceDetail"]["BoundingBox"]["Left"] == 0
    (left,) = found["UnsearchedFaces"]
    assert left["Reasons"] == ["FACE_NOT_LARGEST"]
    assert left["FaceDetails"]["BoundingBox"]["Left"] == 0.5
    empty = aws.search_users_by_image(CollectionId=collection, Image={"Bytes": stubs.picture((0, 0, 0))})
    assert empty["UserMatches"] == []
    assert empty["UnsearchedFaces"] == []
    assert "SearchedFace" not in empty


def test_a_request_token_makes_a_retry_harmless(aws: Any, collection: str, indexed: Any, stubs: Any) -> None:
    once = {"CollectionId": collection, "UserId": "ana", "ClientRequestToken": f"{collection[:50]}-1"}
    aws.create_user(**once)
    aws.create_user(**once)
    with pytest.raises(aws.exceptions.IdempotentParameterMismatchException):
        aws.create_user(**once | {"UserId": "ben"})
    red = indexed(stubs.RED)
    first = aws.associate_faces(**once, FaceIds=[red])
    second = aws.associate_faces(**once, FaceIds=[red])
    assert first["AssociatedFaces"] == second["AssociatedFaces"] == [{"FaceId": red}]
    aws.delete_user(**once)
    aws.delete_user(**once)
    with pytest.raises(aws.exceptions.IdempotentParameterMismatchException):
        aws.delete_user(**once | {"UserId": "ben"})


def test_a_deleted_user_leaves_nothing(
    live: Any, aws: Any, collection: str, user: Any, indexed: Any, stubs: Any
) -> None:
    red, blue = indexed(stubs.RED), indexed(stubs.BLUE)
    user("a-name-of-nobody-else", red)
    user("ben", blue)
    refused = aws.associate_faces(
        CollectionId=collection, UserId="ben", FaceIds=[red]
    )  # its answer names the other one
    assert refused["UnsuccessfulFaceAssociations"][0]["UserId"] == "a-name-of-nobody-else"
    aws.delete_user(CollectionId=collection, UserId="a-name-of-nobody-else")
    assert aws.delete_faces(CollectionId=collection, FaceIds=[red])["DeletedFaces"] == [red]
    folder = live.service.settings.data
    kept = [path.name for path in folder.rglob("service.db*") if b"a-name-of-nobody-else" in path.read_bytes()]
    assert not kept
