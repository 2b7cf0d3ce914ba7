"""A folder of pictures, searched in DeepFace's shape."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from mien.compat.deepface.arguments import check, detector_card, embedder_card, metric_name
from mien.compat.deepface.errors import EmptyDatasource, PathNotFound, UnimplementedError
from mien.compat.deepface.faces import area, find_faces
from mien.compat.deepface.pictures import read
from mien.compat.deepface.store import Entry, Store
from mien.compat.deepface.vectors import F64, Metric, confidence, distances, limit, point, vectors
from mien.errors import InputError
from mien.media import find as files_in
from mien.media import kind
from mien.types import Face

Row = dict[str, Any]
_BOX = ("x", "y", "w", "h")


def find(  # noqa: PLR0913 (their signature)
    img_path: Any,
    db_path: str,
    model_name: str = "Dlib",
    distance_metric: Metric = "cosine",
    enforce_detection: bool = True,
    detector_backend: str = "mtcnn",
    align: bool = True,
    similarity_search: bool = False,
    k: int | None = None,
    expand_percentage: int = 0,
    threshold: float | None = None,
    normalization: str = "base",
    silent: bool = False,
    refresh_database: bool = True,
    anti_spoofing: bool = False,
    datastore_format: str = "npz",
    return_type: str | None = None,
) -> list[Any]:
    """For each face of a picture, the pictures in the folder `db_path` that show the same person, closest first.

    A list of pandas DataFrames, or of lists of dicts where pandas is not installed or `return_type` is "dict", with
    DeepFace's columns. Vectors are kept in the folder, in one file per model and detector. Pictures there that cannot
    be used are named in one warning, unless `silent`. Raises PathNotFound, EmptyDatasource, FaceNotDetected,
    ImgNotFound, DataTypeError, UnimplementedError, EvidenceError."""
    check(
        align=align,
        expand_percentage=expand_percentage,
        normalization=normalization,
        anti_spoofing=anti_spoofing,
        datastore_format=datastore_format,
    )
    shape = _return_type(return_type)
    name, metric = embedder_card(model_name), metric_name(distance_metric, threshold)
    probes = find_faces(read(img_path), detector_backend, enforce_detection)
    folder = _folder(db_path)
    store = Store.open(folder, name, detector_card(detector_backend))
    if refresh_database:
        _refresh(store, detector_backend, silent)
    entries = store.faces()
    if not entries:
        if not store.pictures():
            raise EmptyDatasource(f"There is no picture in {folder}.", "Name a folder that holds pictures of people.")
        return []
    accepted = limit(point(name, len(entries), search=True), metric) if threshold is None else float(threshold)
    gallery = np.array([entry.vector for entry in entries], np.float64)
    table = _table(gallery, vectors(name, probes), distance_metric, batched=shape == "dict")
    found = [
        _rows(face, entries, row.tolist(), accepted, folder)[: _most(k, row, accepted, similarity_search)]
        for face, row in zip(probes, table, strict=True)
    ]
    return found if shape == "dict" else _frames(found)


def _folder(db_path: Any) -> Path:
    if str(db_path).startswith(("s3://", "ftp://")):
        raise UnimplementedError(
            f"{db_path} is not opened: only local folders are searched.", "Copy the pictures first."
        )
    folder = Path(db_path)
    if not folder.is_dir():
        raise PathNotFound(f"There is no folder {folder}.", "Check db_path.")
    return folder


def _return_type(wanted: str | None) -> Literal["pandas", "dict"]:
    if wanted not in (None, "pandas", "dict"):
        raise UnimplementedError(f"There is no return_type {wanted!r}.", "Choose 'pandas' or 'dict'.")
    there = find_spec("pandas") is not None
    if wanted == "pandas" and not there:
        raise UnimplementedError(
            "return_type='pandas' needs the package pandas.", "Install it, or say return_type='dict'."
        )
    return "dict" if wanted == "dict" or not there else "pandas"


def _refresh(store: Store, backend: str, silent: bool) -> None:
    """Bring the store up to what lies in the folder now."""
    there = {str(path.relative_to(store.folder)): path for path in _pictures(store.folder)}
    stale = store.stale(there)
    refused = []
    for picture, path in stale.items():
        try:
            faces = find_faces(read(path), backend, enforce=True)
        except InputError as error:
            refused.append(f"{picture}: {error.message}")
            faces = []
        store.put(picture, path, faces, vectors(store.model, faces))
    if stale or store.drop_others(there):
        store.save()
    if refused and not silent:
        warnings.warn(
            f"{len(refused)} of {len(there)} pictures in {store.folder} were passed over. " + " ".join(refused),
            stacklevel=3,
        )


def _pictures(folder: Path) -> list[Path]:
    return [path for path in files_in(folder) if kind(path) == "image"]


def _table(gallery: F64, probes: F64, metric: Metric, batched: bool) -> F64:
    """(len(probes), len(gallery)) distances. A function is called once for all (batched) or pair by pair, as there."""
    if isinstance(metric, str):
        return distances(gallery, probes, metric)
    if batched:
        made = np.asarray(metric(gallery, probes), np.float64)
        if made.shape != (len(probes), len(gallery)):
            raise UnimplementedError(
                f"distance_metric gave an array of shape {made.shape} where ({len(probes)}, {len(gallery)}) is wanted.",
                "Rows stand for the faces of the picture, columns for those of the folder.",
            )
        return made
    return np.array([[float(metric(one, other)) for one in gallery] for other in probes]).reshape(len(probes), -1)


def _rows(face: Face, entries: Sequence[Entry], row: list[float], accepted: float, folder: Path) -> list[Row]:
    """All entries as rows, closest first, ties in the folder's order."""
    source = area(face)
    return [
        {
            "identity": str(folder / entries[index].picture),
            "hash": entries[index].digest,
            **{f"target_{side}": int(value) for side, value in zip(_BOX, entries[index].area, strict=True)},
            "threshold": accepted,
            **{f"source_{side}": source[side] for side in _BOX},
            "distance": row[index],
            "confidence": confidence(row[index], accepted),
        }
        for index in sorted(range(len(entries)), key=row.__getitem__)
    ]


def _most(k: int | None, row: F64, accepted: float, everybody: bool) -> int:
    """How many rows to hand back."""
    count = len(row) if everybody else int((row <= accepted).sum())
    return count if k is None else min(k, count)


COLUMNS = (
    "identity", "hash", "target_x", "target_y", "target_w", "target_h", "threshold",
    "source_x", "source_y", "source_w", "source_h", "distance", "confidence",
)  # fmt: skip


def _frames(found: Sequence[Sequence[Mapping[str, Any]]]) -> list[Any]:
    pandas = cast(Any, import_module("pandas"))
    return [pandas.DataFrame(list(rows), columns=list(COLUMNS)) for rows in found]
