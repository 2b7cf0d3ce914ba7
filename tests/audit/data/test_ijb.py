"""IJB-B and IJB-C: the lists of a release, and media averaged before templates are."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mien.audit.captures import Captures
from mien.audit.data import aggregate, is_ijb, paired, read_ijb
from mien.audit.data.ijb import Ijb, IjbPairs
from mien.cli.audit.common import Run
from mien.cli.audit.sources import Sources
from mien.cli.output import Output
from mien.errors import InputError, MediaNotFound, UsageError

SPOTS = "10 12 20 12 15 18 11 24 19 24"


def release(root: Path, name: str = "ijbc", media: str = "1.jpg 5 70\n2.jpg 5 70\n1.jpg 9 71\n3.jpg 2 72\n") -> Path:
    meta, crops = root / "meta", root / "loose_crop"
    meta.mkdir(parents=True)
    crops.mkdir()
    for number in (1, 2):
        Image.new("RGB", (40, 40), (number, 0, 0)).save(crops / f"{number}.jpg")
    (meta / f"{name}_face_tid_mid.txt").write_text(media)
    rows = [line.split()[0] for line in media.splitlines()]
    (meta / f"{name}_name_5pts_score.txt").write_text("".join(f"{row} {SPOTS} 0.9\n" for row in rows))
    (meta / f"{name}_template_pair_label.txt").write_text("5 9 1\n5 2 0\n5 77 0\n")
    (meta / f"{name}_1N_gallery_G1.csv").write_text("TEMPLATE_ID,SUBJECT_ID,FILENAME\n5,100,x\n5,100,y\n88,3,z\n")
    (meta / f"{name}_1N_gallery_G2.csv").write_text("TEMPLATE_ID,SUBJECT_ID,FILENAME\n2,102,x\n")
    (meta / f"{name}_1N_probe_mixed.csv").write_text("TEMPLATE_ID,SUBJECT_ID,FILENAME\n9,100,x\n")
    return root


@pytest.mark.parametrize("name", ["ijbc", "ijbb"])
def test_a_release_is_read_as_it_is(tmp_path: Path, name: str) -> None:
    assert not is_ijb(tmp_path)
    ijb = read_ijb(release(tmp_path, name))
    assert is_ijb(tmp_path)
    assert [one.name for one in ijb.pictures] == ["1.jpg", "2.jpg", "1.jpg (2)", "3.jpg"]
    assert ijb.pictures[0].points is not None
    assert ijb.pictures[0].points.tolist()[:2] == [[10, 12], [20, 12]]
    assert ijb.pictures[2].read().pixels.shape == (40, 40, 3)
    assert ijb.template.tolist() == [5, 5, 9, 2]
    assert ijb.medium.tolist() == [70, 70, 71, 72]
    assert ijb.templates.tolist() == [2, 5, 9]
    assert ijb.subjects == ("102", "100", "100")
    assert (ijb.pairs.first.tolist(), ijb.pairs.second.tolist()) == ([1, 1], [2, 0])
    assert ijb.pairs.same.tolist() == [True, False]
    assert {split: places.tolist() for split, places in ijb.galleries.items()} == {"G1": [1], "G2": [0]}
    assert ijb.probes.tolist() == [2]
    assert {one.kind: one.cases for one in ijb.problems} == {
        "absent_file": ("3.jpg",),
        "unknown_template": (f"{name}_1N_gallery_G1.csv line 4: 88", "5 77"),
    }


def test_lists_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFound, match="has no meta/ijbc_face_tid_mid"):
        read_ijb(tmp_path)
    release(tmp_path / "a", media="1.jpg 5 x\n")
    with pytest.raises(InputError, match="a line of another kind"):
        read_ijb(tmp_path / "a")
    path = release(tmp_path / "b") / "meta" / "ijbc_name_5pts_score.txt"
    path.write_text(f"2.jpg {SPOTS} 0.9\n")
    with pytest.raises(InputError, match="do not list the same pictures"):
        read_ijb(tmp_path / "b")
    path = release(tmp_path / "c") / "meta" / "ijbc_template_pair_label.txt"
    for text in ("5 9 yes\n", "5 9\n", ""):
        path.write_text(text)
        with pytest.raises(InputError):
            read_ijb(tmp_path / "c")


def test_names_do_not_lead_out_of_the_data_set(tmp_path: Path) -> None:
    ijb = read_ijb(release(tmp_path / "set", media="../secret.jpg 5 70\n"))
    Image.new("RGB", (40, 40)).save(tmp_path / "set" / "secret.jpg")
    with pytest.raises(MediaNotFound, match="leads out"):
        ijb.pictures[0].read()


def ijb_of(template: list[int], medium: list[int]) -> Ijb:
    templates, empty = np.unique(template), np.empty(0, np.int64)
    pairs = IjbPairs(empty, empty, np.empty(0, bool))
    return Ijb((), np.array(template), np.array(medium), templates, ("",) * len(templates), pairs, {}, empty)


def captures_of(vectors: np.ndarray, failed: list[bool]) -> Captures:
    names = tuple(map(str, range(len(vectors))))
    vectors = np.where(np.array(failed)[:, None], 0, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    quality = np.where(failed, np.nan, np.linspace(0.1, 0.9, len(failed)))
    return Captures(
        names, names, vectors.astype(np.float32), quality, tuple("no" if one else "" for one in failed), "s"
    )


def test_a_video_of_many_pictures_counts_as_one_still() -> None:
    vectors = np.array([[1.0, 0], [1, 0], [1, 0], [0, 1]])
    fused = aggregate(captures_of(vectors, [False] * 4), ijb_of([1, 1, 1, 1], [7, 7, 7, 8]))
    assert fused.vectors[0] == pytest.approx(np.sqrt([0.5, 0.5]))


def test_comparisons_of_templates_as_a_list_of_pairs(tmp_path: Path) -> None:
    pairs = paired(read_ijb(release(tmp_path)))
    assert (pairs.first.tolist(), pairs.second.tolist(), pairs.same.tolist()) == ([1, 1], [2, 0], [True, False])
    assert pairs.owner[1] == pairs.owner[2] != pairs.owner[0]
    assert not pairs.problems


def test_the_command_line_makes_templates_of_a_release(tmp_path: Path, stubs: ModuleType) -> None:
    sources = Sources(str(release(tmp_path)), 0, None, stubs.stub_engine())
    captures = sources.capture(Run(Output("json", quiet=True), None, 0, 20))
    assert captures.names == ("2", "5", "9")
    assert captures.subjects == ("102", "100", "100")
    assert [bool(reason) for reason in captures.failures] == [True, False, False]  # 3.jpg is absent
    assert {one.kind for one in sources.problems} == {"absent_file", "unknown_template", "failed_capture"}
    assert sources.ijb is not None
    with pytest.raises(UsageError, match="all pictures"):
        aggregate(captures, sources.ijb)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), min_size=1, max_size=20),
    st.integers(0, 99),
)
def test_aggregation_against_plain_loops(rows: list[tuple[int, int, bool]], seed: int) -> None:
    template, medium, failed = (list(column) for column in zip(*rows, strict=True))
    captures = captures_of(np.random.default_rng(seed).normal(size=(len(rows), 5)), failed)
    fused = aggregate(captures, ijb_of(template, medium))
    assert fused.names == tuple(str(one) for one in sorted(set(template)))
    for place, number in enumerate(sorted(set(template))):
        means = []
        for one in sorted(set(medium)):
            mine = [i for i in range(len(rows)) if (template[i], medium[i]) == (number, one) and not failed[i]]
            if mine:
                means.append(captures.vectors[mine].mean(0))
        if not means:
            assert fused.failures[place]
            assert not fused.vectors[place].any()
            continue
        wanted = np.mean(means, axis=0)
        assert fused.vectors[place] == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-5)
        best = max(captures.quality[i] for i in range(len(rows)) if template[i] == number and not failed[i])
        assert fused.quality[place] == best
