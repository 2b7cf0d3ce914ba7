"""IJB-B and IJB-C as prepared for recognition: loose crops, and lists of templates, media, pairs, galleries and probes.

    meta/ijbc_face_tid_mid.txt          "1.jpg 1 69544": picture, template, medium (a still, or a video of many pictures)
    meta/ijbc_name_5pts_score.txt       "1.jpg x y x y x y x y x y score": where the face is, in px of its crop
    meta/ijbc_template_pair_label.txt   "1 11065 1": two templates, and whether they are of one person
    meta/ijbc_1N_gallery_G1.csv, …      template and subject, with a header; IJB-B: S1, S2; probes: 1N_probe_mixed
    loose_crop/1.jpg

A template is one person seen in several media. (Whitelam et al., CVPRW 2017; Maze et al., ICB 2018.)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mien.audit.data.picture import Labelled
from mien.audit.metrics import I64, Bools
from mien.report import Problem


@dataclass(frozen=True, slots=True, eq=False)
class IjbPairs:
    """n comparisons of templates."""

    first: I64  # (n,) place in `Ijb.templates`
    second: I64
    same: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Ijb:
    """A data set of templates."""

    pictures: tuple[Labelled, ...]  # (m,) with the points that the data set gives
    template: I64  # (m,) the template that a picture belongs to, by its number in the lists
    medium: I64  # (m,) and the medium
    templates: I64  # (t,) all numbers, rising
    subjects: tuple[str, ...]  # (t,) whose template it is, where a gallery or the probes say; "" otherwise
    pairs: IjbPairs
    galleries: Mapping[str, I64]  # "G1", "G2" (IJB-B: "S1", "S2") -> places in `templates` of those enrolled
    probes: I64  # places in `templates` of those searched
    problems: tuple[Problem, ...] = ()


def is_ijb(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is laid out so."""
    return Path(path).is_dir() and any((Path(path) / "meta").glob("ijb?_face_tid_mid.txt"))
