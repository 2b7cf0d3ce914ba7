"""The members that we read are those of the service model inside the vendor's client."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape
from hypothesis import given
from hypothesis import strategies as st

from mien.serve.rekognition import members
from mien.serve.rekognition.members import INPUTS, Many, Number, Pairs, Picture, Text
from mien.serve.rekognition.operations import OPERATIONS
from mien.serve.rekognition.refusal import Refused

MODEL = ServiceModel(Loader().load_service_model("rekognition", "service-2"), "rekognition")


def pattern(text: str) -> str:
    return text.removeprefix("^").removesuffix("$").replace(r"\.\-", r".\-").replace(r"0-9\.", "0-9.")


def differences(shape: Shape, ours: Any, name: str) -> list[str]:
    """Where a reader allows other than the model."""
    limits = shape.metadata
    if isinstance(ours, Picture):
        good = shape.name == "Image" and shape.members["Bytes"].metadata["max"] == members.MAX_IMAGE
        return [] if good else [f"{name} is no picture"]
    if isinstance(ours, Number):
        same = (ours.least, ours.most, ours.whole) == (
            limits.get("min"),
            limits.get("max"),
            shape.type_name == "integer",
        )
        return [] if same else [f"{name}: {limits}"]
    if isinstance(ours, Many):
        sizes = (ours.least, ours.most) == (limits.get("min", 0), limits.get("max"))
        return ([] if sizes else [f"{name}: {limits}"]) + differences(shape.member, ours.of, f"{name}[]")
    if isinstance(ours, Pairs):
        texts = differences(shape.key, ours.key, f"{name} key") + differences(shape.value, ours.value, f"{name} value")
        return texts + ([] if ours.most == limits["max"] else [f"{name}: {limits}"])
    assert isinstance(ours, Text)
    told = []
    if (ours.least, ours.most) != (limits.get("min", 0), limits.get("max")):
        told.append(f"{name}: {limits}")
    if set(ours.words) != set(limits.get("enum", ())):
        told.append(f"{name}: {limits['enum']}")
    if pattern(ours.pattern) != pattern(limits.get("pattern", "")) and "\\p" not in limits.get("pattern", ""):
        told.append(f"{name}: {limits['pattern']}")
    return told


def test_every_operation_reads_the_members_of_the_model() -> None:
    assert set(INPUTS) == set(OPERATIONS)
    told = []
    for name, ours in INPUTS.items():
        shape = MODEL.operation_model(name).input_shape
        assert set(ours.needed) == set(shape.required_members), name
        assert set(ours.needed) | set(ours.optional) == set(shape.members), name
        both = {**ours.needed, **ours.optional}
        told += [
            each
            for member, reader in both.items()
            if member != "NextToken"  # which is longer here, see `members`
            for each in differences(shape.members[member], reader, f"{name}.{member}")
        ]
    assert not told, told


@given(st.text(max_size=12))
def test_tags_may_hold_what_the_model_allows(text: str) -> None:
    import unicodedata

    allowed = all(unicodedata.category(one)[0] in "LZN" or one in "_.:/=+-@" for one in text)
    odd = any(unicodedata.category(one) in ("Zl", "Zp") or one in "\x1c\x1d\x1e\x1f\x85" for one in text)
    try:
        Text(0, 256, members.INPUTS["CreateCollection"].optional["Tags"].value.pattern).read(text, "Tag")
        good = True
    except Refused:
        good = False
    assert odd or good == allowed, [hex(ord(one)) for one in text]


def test_the_operations_are_those_promised() -> None:
    assert len(OPERATIONS) == 21
    client = boto3.client("rekognition", region_name="x", aws_access_key_id="x", aws_secret_access_key="x")
    known = {client.meta.method_to_api_mapping[method] for method in client.meta.method_to_api_mapping}
    assert set(OPERATIONS) <= known


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_an_empty_request_is_refused_or_needs_nothing(operation: str) -> None:
    ours = INPUTS[operation]
    if not ours.needed:
        assert ours.read({}) == {}
        return
    with pytest.raises(Refused, match="lacks"):
        ours.read({})
