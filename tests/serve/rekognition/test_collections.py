"""Collections, by the vendor's client."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError
from fastapi.testclient import TestClient

from mien import Sample, Template, open_gallery


def test_a_collection_is_made_described_listed_and_deleted(aws: Any, live: Any, stubs: Any) -> None:
    made = aws.create_collection(CollectionId="people", Tags={"site": "Köln 1"})
    assert made["StatusCode"] == 200
    assert made["CollectionArn"] == "arn:aws:rekognition:here:default:collection/people"
    assert float(made["FaceModelVersion"]) >= 7
    aws.index_faces(CollectionId="people", Image={"Bytes": stubs.picture(stubs.RED, stubs.BLUE)})
    aws.create_user(CollectionId="people", UserId="ana")
    told = aws.describe_collection(CollectionId="people")
    assert (told["FaceCount"], told["UserCount"]) == (2, 1)
    assert told["CollectionARN"] == made["CollectionArn"]
    assert told["FaceModelVersion"] == made["FaceModelVersion"]
    assert abs(told["CreationTimestamp"].timestamp() - time.time()) < 60
    assert "people" in aws.list_collections()["CollectionIds"]
    assert aws.delete_collection(CollectionId="people")["StatusCode"] == 200
    assert "people" not in aws.list_collections()["CollectionIds"]
    with pytest.raises(aws.exceptions.ResourceNotFoundException, match="people does not exist"):
        aws.describe_collection(CollectionId="people")


def test_collections_have_tags(live: Any, aws: Any) -> None:
    arn = aws.create_collection(CollectionId="tagged", Tags={"site": "Köln", "floor": "2"})["CollectionArn"]
    aws.tag_resource(ResourceArn=arn, Tags={"floor": "3", "owner": "赤@home"})
    aws.untag_resource(ResourceArn=arn, TagKeys=["site", "none"])
    assert aws.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"floor": "3", "owner": "赤@home"}
    with pytest.raises(aws.exceptions.ServiceQuotaExceededException):
        aws.tag_resource(ResourceArn=arn, Tags={str(number): "" for number in range(199)})
    for wrong in (arn + "x", arn.replace("default", "other"), "x" * 20):
        with pytest.raises(aws.exceptions.ResourceNotFoundException):
            aws.list_tags_for_resource(ResourceArn=wrong)
    live.service.galleries.create("default", "made-otherwise")
    arn = aws.describe_collection(CollectionId="made-otherwise")["CollectionARN"]
    aws.tag_resource(ResourceArn=arn, Tags={"a": "b"})
    assert aws.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"a": "b"}
    assert "CreationTimestamp" not in aws.describe_collection(CollectionId="made-otherwise")


def test_a_collection_of_the_same_name_begins_anew(aws: Any) -> None:
    aws.create_collection(CollectionId="again")
    aws.create_user(CollectionId="again", UserId="ana")
    aws.delete_collection(CollectionId="again")
    aws.create_collection(CollectionId="again")
    assert aws.list_users(CollectionId="again")["Users"] == []


def test_a_gallery_that_is_dropped_otherwise_takes_its_users_along(live: Any, aws: Any) -> None:
    aws.create_collection(CollectionId="both-ways")
    aws.create_user(CollectionId="both-ways", UserId="ana")
    key = live.service.keys.make("rest", "admin", "default")
    http = TestClient(live.app, headers={"authorization": f"Bearer {key}"})
    assert "both-ways" in [one["name"] for one in http.get("/v1/galleries").json()["items"]]
    assert http.delete("/v1/galleries/both-ways").status_code == 200
    with pytest.raises(aws.exceptions.ResourceNotFoundException):
        aws.list_users(CollectionId="both-ways")
    http.post("/v1/galleries", json={"name": "both-ways"})
    assert aws.list_users(CollectionId="both-ways")["Users"] == []
    assert "CreationTimestamp" not in aws.describe_collection(CollectionId="both-ways")


def test_the_operators_gallery_is_a_collection_that_stays(serving: Any, stubs: Any, tmp_path: Path) -> None:
    open_gallery(tmp_path / "staff.db").close()
    client = serving(stubs.engine(), galleries=(str(tmp_path / "staff.db"),)).client()
    assert client.list_collections()["CollectionIds"] == ["staff"]
    assert client.index_faces(CollectionId="staff", Image={"Bytes": stubs.picture(stubs.RED)})["FaceRecords"]
    with pytest.raises(client.exceptions.AccessDeniedException, match="operator"):
        client.delete_collection(CollectionId="staff")


def test_a_collection_of_another_model_is_refused(live: Any, aws: Any, collection: str, stubs: Any) -> None:
    gallery = live.service.galleries.open("default", collection)
    gallery.enrol("ana", [Sample(Template(np.eye(8, dtype=np.float32)[0], "another"))])
    for refused in (aws.index_faces, aws.search_faces_by_image, aws.search_users_by_image):
        with pytest.raises(aws.exceptions.InvalidParameterException, match="migrate"):
            refused(CollectionId=collection, Image={"Bytes": stubs.picture(stubs.RED)})
    other = aws.describe_collection(CollectionId=collection)["FaceModelVersion"]
    aws.create_collection(CollectionId=f"{collection}-2")
    assert other != aws.describe_collection(CollectionId=f"{collection}-2")["FaceModelVersion"]


def test_refusals(aws: Any, collection: str) -> None:
    with pytest.raises(aws.exceptions.ResourceAlreadyExistsException):
        aws.create_collection(CollectionId=collection)
    with pytest.raises(aws.exceptions.ResourceNotFoundException):
        aws.delete_collection(CollectionId="nowhere")
    for name in ("a/b", "../up", "ä", ".hidden", "x.db", "n" * 201):
        with pytest.raises(aws.exceptions.InvalidParameterException):
            aws.create_collection(CollectionId=name)
    with pytest.raises(aws.exceptions.InvalidParameterException, match="aws:"):
        aws.create_collection(CollectionId="tagged", Tags={"aws:own": "no"})


def test_collections_come_by_pages(live: Any) -> None:
    other = live.client(tenant="pages")
    names = [f"c{number}" for number in range(7)]
    for name in reversed(names):
        other.create_collection(CollectionId=name)
    pages = list(other.get_paginator("list_collections").paginate(PaginationConfig={"PageSize": 3}))
    assert [page["CollectionIds"] for page in pages] == [names[:3], names[3:6], names[6:]]
    assert all(len(page["FaceModelVersions"]) == len(page["CollectionIds"]) for page in pages)
    assert other.list_collections(MaxResults=0)["CollectionIds"] == names
    for token in ("nonsense", pages[0]["NextToken"][:-2] + "xx"):
        with pytest.raises(other.exceptions.InvalidPaginationTokenException):
            other.list_collections(NextToken=token)
    with pytest.raises(other.exceptions.InvalidPaginationTokenException):  # another tenant's
        live.client(tenant="else").list_collections(NextToken=pages[0]["NextToken"])


def test_tenants_do_not_see_each_other(live: Any, aws: Any, collection: str) -> None:
    other = live.client(tenant="other")
    assert other.list_collections()["CollectionIds"] == []
    with pytest.raises(other.exceptions.ResourceNotFoundException):
        other.describe_collection(CollectionId=collection)


def test_roles(live: Any, collection: str, stubs: Any) -> None:
    reader, operator = live.client("reader"), live.client("operator")
    image = {"Bytes": stubs.picture(stubs.RED)}
    assert reader.detect_faces(Image=image)["FaceDetails"]
    for refused in (
        lambda: reader.index_faces(CollectionId=collection, Image=image),
        lambda: operator.create_collection(CollectionId="mine"),
        lambda: operator.delete_collection(CollectionId=collection),
    ):
        with pytest.raises(ClientError) as caught:
            refused()
        assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    assert operator.index_faces(CollectionId=collection, Image=image)["FaceRecords"]


def test_it_is_in_the_log(live: Any, aws: Any, collection: str) -> None:
    live.service.log.flush()
    found = [one for one in live.service.log.entries("default") if one["facts"].get("gallery") == collection]
    assert [one["action"] for one in found] == ["gallery.create"]
    assert found[0]["facts"]["operation"] == "CreateCollection"
