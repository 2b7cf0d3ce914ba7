"""The client of Amazon Rekognition against one's own service: python examples/rekognition_client.py ADDRESS KEY ANA ANA2 BEN

`mien serve` runs at ADDRESS, KEY is an admin's key mien_ID_SECRET, the rest are three photos: two of Ana, one of Ben."""

from __future__ import annotations

import sys
from pathlib import Path

import boto3

address, key, ana, ana2, ben = sys.argv[1:]
_, number, secret = key.split("_", 2)
names = {"aws_access_key_id": number, "aws_secret_access_key": secret, "region_name": "local"}
aws = boto3.client("rekognition", endpoint_url=address, **names)
images = {name: {"Bytes": Path(name).read_bytes()} for name in (ana, ana2, ben)}

aws.create_collection(CollectionId="example")
for name in (ana, ben):
    stem = Path(name).stem
    found = aws.index_faces(CollectionId="example", Image=images[name], ExternalImageId=stem, MaxFaces=1)
    face = found["FaceRecords"][0]["Face"]["FaceId"]
    aws.create_user(CollectionId="example", UserId=stem)
    aws.associate_faces(CollectionId="example", UserId=stem, FaceIds=[face])
    print("indexed", stem, "left out:", len(found["UnindexedFaces"]))

for match in aws.search_faces_by_image(CollectionId="example", Image=images[ana2])["FaceMatches"]:
    print("face:", match["Face"]["ExternalImageId"], f"{match['Similarity']:.1f}")
for match in aws.search_users_by_image(CollectionId="example", Image=images[ana2])["UserMatches"]:
    print("user:", match["User"]["UserId"])
compared = aws.compare_faces(SourceImage=images[ana], TargetImage=images[ben])
print("Ana and Ben:", len(compared["FaceMatches"]), "matches,", len(compared["UnmatchedFaces"]), "unmatched")
pages = aws.get_paginator("list_faces").paginate(CollectionId="example", PaginationConfig={"PageSize": 1})
print("faces:", [len(page["Faces"]) for page in pages])
aws.delete_collection(CollectionId="example")
