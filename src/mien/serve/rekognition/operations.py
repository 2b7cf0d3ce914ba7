"""The operations: who may ask for each, and who answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mien.serve.access import Role
from mien.serve.rekognition import collections, faces, looking, users
from mien.serve.rekognition.desk import Asked, Desk
from mien.serve.rekognition.pictures import Wanted
from mien.serve.rekognition.shapes import Json


@dataclass(frozen=True, slots=True)
class Operation:
    """wanted: what is to be seen in the pictures, checked before the models work; None where there are none."""

    role: Role
    answer: Callable[[Desk, Asked], Json]
    wanted: Callable[[Desk, Asked], Wanted] | None = None


OPERATIONS: Mapping[str, Operation] = {
    "CreateCollection": Operation("admin", collections.create_collection),
    "DescribeCollection": Operation("reader", collections.describe_collection),
    "ListCollections": Operation("reader", collections.list_collections),
    "DeleteCollection": Operation("admin", collections.delete_collection),
    "IndexFaces": Operation("operator", faces.index_faces, faces.wanted_index),
    "ListFaces": Operation("reader", faces.list_faces),
    "DeleteFaces": Operation("operator", faces.delete_faces),
    "SearchFaces": Operation("reader", faces.search_faces),
    "SearchFacesByImage": Operation("reader", faces.search_faces_by_image, faces.wanted_search),
    "CompareFaces": Operation("reader", looking.compare_faces, looking.wanted_compare),
    "DetectFaces": Operation("reader", looking.detect_faces, looking.wanted_detect),
    "CreateUser": Operation("operator", users.create_user),
    "DeleteUser": Operation("operator", users.delete_user),
    "AssociateFaces": Operation("operator", users.associate_faces),
    "DisassociateFaces": Operation("operator", users.disassociate_faces),
    "SearchUsers": Operation("reader", users.search_users),
    "SearchUsersByImage": Operation("reader", users.search_users_by_image, users.wanted_search),
    "TagResource": Operation("operator", collections.tag_resource),
    "UntagResource": Operation("operator", collections.untag_resource),
    "ListTagsForResource": Operation("reader", collections.list_tags),
    "ListUsers": Operation("reader", users.list_users),
}
