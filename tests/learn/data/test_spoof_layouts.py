"""Attacks on face recognition on tiny trees in their official layouts. The counts are those of the published lists."""

from __future__ import annotations

import itertools
import json
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.errors import InputError, UsageError
from mien.learn.data.layouts import casia_fasd, celeba_spoof, msu_mfsd, oulu_npu, replay_attack, uniattack
from mien.learn.data.protocols import protocols_of, under

READERS = (oulu_npu, casia_fasd, replay_attack, msu_mfsd, celeba_spoof, uniattack)


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def numbered(dataset: Any) -> dict[str, int]:
    return {problem.kind: problem.number for problem in dataset.problems}


def shares(dataset: Any) -> dict[tuple[str, str | None], int]:
    return dict(Counter((one.split, one.label) for one in dataset.examples))


def make_oulu(root: Path, most: int = 99) -> None:
    people = {"Train": range(1, 21), "Dev": range(21, 36), "Test": range(36, 56)}
    protocols = root / "Protocols"
    for name in ("Protocol_1", "Protocol_3"):
        (protocols / name).mkdir(parents=True)
    for split, own in people.items():
        listed = []
        for phone, session, person, kind in itertools.product((1, 6), (1, 3), own[:most], range(1, 6)):
            name = f"{phone}_{session}_{person:02d}_{kind}"
            touch(root / f"{split}_files" / f"{name}.avi")
            if (session == 3) == (split == "Test"):
                listed.append(f"{'+1' if kind == 1 else '-2' if kind > 3 and split == 'Test' else '-1'},{name}")
        (protocols / "Protocol_1" / f"{split}.txt").write_text("\r\n".join(listed) + "\r\n")
        (protocols / "Protocol_3" / f"{split}_2.txt").write_text("\n".join(listed[:10]))


def test_oulu_npu(tmp_path: Path) -> None:
    make_oulu(tmp_path)
    assert oulu_npu.fits(tmp_path)
    data = oulu_npu.read(tmp_path)
    assert shares(data) == {
        ("train", "live"): 80, ("train", "attack"): 320, ("dev", "live"): 60, ("dev", "attack"): 240,
        ("test", "live"): 80, ("test", "attack"): 320,
    }  # fmt: skip
    assert not numbered(data) and len({one.subject for one in data.examples}) == 55
    by_name = {one.name: one for one in data.examples}
    live, replay = by_name["1_1_01_1"], by_name["6_3_36_4"]
    assert live.group == {"camera": "phone 1", "session": "1", "protocol 1": "train", "protocol 3.2": "train"}
    assert replay.group["species"] == "replay" and replay.group["device"] == "display 1" and replay.subject == "36"
    assert by_name["1_1_01_3"].group["species"] == "print"
    assert protocols_of(data) == ("1", "3.2")
    assert Counter(one.split for one in under(data, "1").examples) == {"train": 200, "dev": 150, "test": 200}
    assert {one.group["session"] for one in under(data, "1").of("test").examples} == {"3"}
    with pytest.raises(UsageError, match="no protocol 4"):
        under(data, "4")


def test_oulu_npu_with_lists_that_lie(tmp_path: Path) -> None:
    make_oulu(tmp_path)
    (tmp_path / "Protocols/Protocol_1/Train.txt").write_text(
        "+1,1_1_01_2\n+1,1_1_21_1\n+1,9_9_99_9\nsay,1_1_01_1\n+1,1_2_05_1\n+1,../../1_1_01_1\n"
    )
    touch(tmp_path / "Train_files/holiday.avi")
    assert numbered(oulu_npu.read(tmp_path)) == {
        "bad_row": 3, "unknown_name": 1, "label_against_name": 1, "split_against_folder": 1, "absent_file": 1,
    }  # fmt: skip


def make_casia(root: Path) -> None:
    for folder, people in (("train_release", 2), ("test_release", 3)):
        for person in range(1, people + 1):
            for name in [*map(str, range(1, 9)), "HR_1", "HR_2", "HR_3", "HR_4"]:
                touch(root / folder / str(person) / f"{name}.avi")
    (root / "test_release/3/HR_4.avi").rename(root / "test_release/3/HR_9.avi")


def test_two_videos_of_one_name_are_told(tmp_path: Path) -> None:
    make_msu(tmp_path / "a")
    make_msu(tmp_path)
    assert numbered(msu_mfsd.read(tmp_path))["twice"] == 24


def test_casia_fasd(tmp_path: Path) -> None:
    make_casia(tmp_path)
    assert casia_fasd.fits(tmp_path)
    data = casia_fasd.read(tmp_path)
    assert shares(data) == {("train", "live"): 6, ("train", "attack"): 18, ("test", "live"): 9, ("test", "attack"): 26}
    assert {one.subject for one in data.examples} == {"train/1", "train/2", "test/1", "test/2", "test/3"}
    assert numbered(data) == {"unknown_name": 1, "absent_file": 1}
    kinds = {name: casia_fasd.kind_of(name) for name in ("1", "2", "3", "6", "7", "HR_1", "HR_3", "HR_4")}
    assert kinds == {
        "1": ("", "low"), "2": ("", "normal"), "3": ("print", "low"), "6": ("cut", "normal"), "7": ("replay", "low"),
        "HR_1": ("", "high"), "HR_3": ("cut", "high"), "HR_4": ("replay", "high"),
    }  # fmt: skip


def make_replay(root: Path) -> None:
    for split, person in (("train", 1), ("devel", 3), ("test", 9)):
        for light in ("adverse", "controlled"):
            for take in (1, 2):
                touch(root / split / "real" / f"client{person:03d}_session01_webcam_authenticate_{light}_{take}.mov")
            for device, shown in (("mobile", "photo"), ("mobile", "video"), ("highdef", "photo"), ("highdef", "video")):
                for support in ("fixed", "hand"):
                    name = f"attack_{device}_client{person:03d}_session01_{device}_{shown}_{light}.mov"
                    touch(root / split / "attack" / support / name)
            for support in ("fixed", "hand"):
                name = f"attack_print_client{person:03d}_session01_highdef_photo_{light}.mov"
                touch(root / split / "attack" / support / name)
    touch(root / "enroll/train/client001_session01_webcam_enroll_controlled_1.mov")
    touch(root / "train/real/holiday.mov")


def test_replay_attack(tmp_path: Path) -> None:
    make_replay(tmp_path)
    assert replay_attack.fits(tmp_path)
    data = replay_attack.read(tmp_path)
    assert shares(data) == {
        ("train", "live"): 4, ("train", "attack"): 20, ("dev", "live"): 4, ("dev", "attack"): 20,
        ("test", "live"): 4, ("test", "attack"): 20, ("train", None): 1,
    }  # fmt: skip
    assert Counter(one.group.get("species") for one in data.examples) == {"replay": 48, "print": 12, None: 13}
    by_name = {one.name: one for one in data.examples}
    held = by_name["devel/attack/hand/attack_mobile_client003_session01_mobile_video_adverse"]
    assert held.group == {
        "species": "replay",
        "shows": "video",
        "light": "adverse",
        "support": "hand",
        "device": "mobile",
    }
    assert (held.subject, held.split) == ("003", "dev")
    assert next(one for one in data.examples if one.label is None).group == {"role": "enrol"}
    assert numbered(data) == {"unknown_name": 1}


def make_msu(root: Path) -> None:
    for person in (1, 2, 3, 55):
        for camera, suffix in (("android", "mp4"), ("laptop", "mov")):
            touch(root / f"scene01/real/real_client{person:03d}_{camera}_SD_scene01.{suffix}")
            for kind in ("ipad_video", "iphone_video", "printed_photo"):
                touch(root / f"scene01/attack/attack_client{person:03d}_{camera}_SD_{kind}_scene01.{suffix}")
    (root / "train_sub_list.txt").write_text("02\r\n03\r\nxx\r\n")
    (root / "test_sub_list.txt").write_text("01\n03\n")


def test_msu_mfsd(tmp_path: Path) -> None:
    make_msu(tmp_path)
    touch(tmp_path / "scene01/real/attack_client001_laptop_SD_ipad_video_scene01.mov")
    touch(tmp_path / "scene01/attack/attack_client001_laptop_SD_scene01.mov")
    assert msu_mfsd.fits(tmp_path)
    data = msu_mfsd.read(tmp_path)
    assert shares(data) == {
        ("train", "live"): 2, ("train", "attack"): 6, ("test", "live"): 2, ("test", "attack"): 6,
        ("", "live"): 2, ("", "attack"): 6,
    }  # fmt: skip
    assert {one.subject for one in data.of("train").examples} == {"002"}
    shown = {(one.group["species"], one.group["device"]) for one in data.examples if one.label == "attack"}
    assert shown == {("replay", "ipad"), ("replay", "iphone"), ("print", "printer")}
    assert numbered(data) == {
        "bad_row": 1,
        "in_both_lists": 8,
        "in_no_list": 8,
        "unknown_name": 1,
        "label_against_name": 1,
    }


def numbers(kind: int = 0, light: int = 0, place: int = 0, attack: int = 0, smiling: int = 0) -> list[int]:
    told = [0] * 40
    told[celeba_spoof.ATTRIBUTES.index("Smiling")] = smiling
    return [*told, kind, light, place, attack]


def make_celeba(root: Path) -> None:
    from PIL import Image

    lists = {
        "train": {
            "Data/train/1/live/000184.jpg": numbers(smiling=1),
            "Data/train/1/spoof/000185.png": numbers(7, 4, 2, 1),
            "Data/train/1/live/000186.jpg": numbers(1, 1, 1, 1),  # its folder says live
            "Data/train/1/live/000187.jpg": numbers(),  # not there
            "Data/train/1/live/000188.jpg": [1, 2, 3],
            "Data/train/1/live/000190.jpg": numbers(99),
            "../../outside/live/1.jpg": numbers(),
            "Data/test/5/live/000189.jpg": numbers(),
        },
        "test": {"Data/test/5/live/000189.jpg": numbers()},
    }
    for split, held in lists.items():
        path = root / "metas/intra_test" / f"{split}_label.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(held))
        for name in held:
            if not name.startswith("..") and "187" not in name:
                touch(root / name)
    Image.new("RGB", (448, 896)).save(root / "Data/train/1/live/000184.jpg")
    (root / "Data/train/1/live/000184_BB.txt").write_text("10 20 100 210 0.99\n")
    (root / "Data/train/1/spoof/000185_BB.txt").write_text("10 20 0 210 0.99\n")


def test_celeba_spoof(tmp_path: Path) -> None:
    make_celeba(tmp_path)
    assert celeba_spoof.fits(tmp_path)
    data = celeba_spoof.read(tmp_path)
    live, shown, other = data.examples
    assert (live.name, live.split, live.label, live.subject) == ("train/1/live/000184.jpg", "train", "live", "1")
    assert live.group == {} and live.values["Smiling"] == 1 and live.values["Male"] == 0 and len(live.values) == 40
    assert (
        shown.group == {"species": "replay", "device": "PC", "light": "dark", "place": "outdoor"} and not shown.values
    )
    assert (other.split, other.subject) == ("test", "5")
    assert numbered(data) == {
        "label_against_name": 1, "absent_file": 1, "bad_row": 2, "outside": 1, "split_against_folder": 1,
    }  # fmt: skip
    assert celeba_spoof.face(live) == (20, 80, 220, 896)  # the boxes are of a picture of 224 px; cut at its edge
    assert celeba_spoof.face(shown) is None and celeba_spoof.face(other) is None


def test_attributes_are_a_mapping_that_travels() -> None:
    held = celeba_spoof.Attributes(0b101)
    assert pickle.loads(pickle.dumps(held)) == held == dict(held)
    assert sum(held.values()) == 2 and "Young" in held and "Old" not in held
    with pytest.raises(KeyError):
        held["Old"]
    assert np.isclose(held.get("5_o_Clock_Shadow", -1), 1)


@pytest.mark.parametrize("text", ["{", "[1, 2]", '"list"', "[" * 100_000])
def test_celeba_spoof_with_a_damaged_list(tmp_path: Path, text: str) -> None:
    make_celeba(tmp_path)
    (tmp_path / "metas/intra_test/test_label.json").write_text(text)
    with pytest.raises(InputError, match=r"test_label\.json is no"):
        celeba_spoof.read(tmp_path)


PUBLISHED = {
    "p1_video_train": "live/africa/AF-576/real.rssdk/color 0\nspoof/east-asia/EA-390/cloth-indoor/color 1\n"
    "adv-attacks/ila_da/ila_da_east-asia-112x112/EA-053 2\nDaGAN/africa_faces/AF-327-To-CA-364 3\n",
    "p1_video_test": "spoof/central-asia/CA-369/screen-rs/color 1\n",
    "p2.1_video_train": "live/africa/AF-576/real.rssdk/color 0\nDaGAN/africa_faces/AF-327-To-CA-364 3\n",
    "p2.1_video_test": "spoof/east-asia/EA-390/cloth-indoor/color 1\nlive/africa/AF-576/real.rssdk/color 0\n"
    "DaGAN/africa_faces/AF-327-To-CA-364 1\nlive/africa/AF-999/real.rssdk/color 0\n../../../outside 0\nlive/x 7\n",
    "p1_image_train": "live/africa/AF-576/real.rssdk/color/0001.jpg 0\n",
}


def make_published(root: Path) -> None:
    for name, text in PUBLISHED.items():
        lines = [f"UniAttackData/Data/{line}" for line in text.splitlines()]
        path = root / "protocol" / f"UniAttackData@{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n\n")
        for line in lines:
            folder = line.rpartition(" ")[0].removeprefix("UniAttackData/")
            if ".." not in folder and "999" not in folder and "jpg" not in folder:
                touch(root / folder / "0001.jpg")


def test_uniattack_as_published(tmp_path: Path) -> None:
    make_published(tmp_path)
    assert uniattack.fits(tmp_path)
    data = uniattack.read(tmp_path)
    by_name = {one.name: one for one in data.examples}
    live = by_name["live/africa/AF-576/real.rssdk/color"]
    assert (live.label, live.split, live.subject) == ("live", "train", "AF-576")
    assert live.group == {"race": "African", "protocol 1": "train", "protocol 2.1": "train"}
    told = {
        one.group.get("family"): (one.group["species"], one.subject) for one in data.examples if one.label == "attack"
    }
    assert told == {
        "physical": ("replay", "CA-369"), "adversarial": ("adversarial", "EA-053"), "digital": ("deepfake", "AF-327"),
    }  # fmt: skip
    assert by_name["DaGAN/africa_faces/AF-327-To-CA-364"].group["method"] == "DaGAN"
    assert by_name["adv-attacks/ila_da/ila_da_east-asia-112x112/EA-053"].group["method"] == "ila_da"
    assert by_name["spoof/east-asia/EA-390/cloth-indoor/color"].group["species"] == "print"
    assert {one.name[:5]: one.split for one in under(data, "2.1").examples} == {
        "DaGAN": "train", "live/": "train", "spoof": "test",
    }  # fmt: skip
    assert numbered(data) == {"against_itself": 2, "bad_row": 1, "absent_folder": 1, "outside": 1}


def make_challenge(root: Path, live: str = "0") -> None:
    attack = "1" if live == "0" else "0"
    names = [f"p1/train/{n:06d}.jpg" for n in range(4)]
    for name in [*names, "p2.1/dev/000001.jpg"]:
        touch(root / "phase1" / name)
    (root / "phase1/p1/train_label.txt").write_text(
        "".join(f"{name} {live if n < 2 else attack}\n" for n, name in enumerate(names))
    )
    (root / "phase1/p2.1/dev_label.txt").write_text(
        "p2.1/dev/000001.jpg 1\np2.1/dev/000002.jpg 0\np2.1/dev/1.jpg x\n/etc/passwd 0\n"
    )


def test_uniattack_of_the_challenge(tmp_path: Path) -> None:
    make_challenge(tmp_path)
    assert uniattack.fits(tmp_path)
    data = uniattack.read(tmp_path)
    assert shares(data) == {("train", "live"): 2, ("train", "attack"): 2, ("", "attack"): 1}
    assert numbered(data) == {"bad_row": 1, "absent_file": 1, "outside": 1}
    assert shares(under(data, "2.1")) == {("dev", "attack"): 1}


def test_uniattack_with_labels_the_other_way_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_challenge(tmp_path)
    path = tmp_path / "phase1/p1/train_label.txt"
    path.write_text("p1/train/000000.jpg 1\np1/train/000001.jpg 0\np1/train/000002.jpg 0\n")
    monkeypatch.setitem(uniattack.LIVE, ("1", "train"), 1)
    with pytest.raises(InputError, match="calls 1 of 3 pictures 1, which is how many live ones there are"):
        uniattack.read(tmp_path)


@pytest.mark.parametrize("reader", READERS)
def test_another_layout_is_told(reader: Any, tmp_path: Path) -> None:
    touch(tmp_path / "faces" / "1.jpg")
    touch(tmp_path / "readme.txt")
    assert not reader.fits(tmp_path)
    with pytest.raises(
        InputError, match=rf"not in the layout {reader.LAYOUT}: expected is .*; found is faces/, readme\.txt\."
    ):
        reader.read(tmp_path)


@pytest.mark.parametrize("reader", READERS)
def test_an_empty_folder_and_a_loop_of_links(reader: Any, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    with pytest.raises(InputError, match="found is loop/"):
        reader.read(tmp_path)


TREES = [
    (oulu_npu, lambda root: make_oulu(root, 1)),
    (msu_mfsd, make_msu),
    (celeba_spoof, make_celeba),
    (uniattack, make_published),
    (uniattack, make_challenge),
    (casia_fasd, make_casia),
    (replay_attack, make_replay),
]


@pytest.mark.parametrize(("reader", "make"), TREES)
def test_it_is_told_from_other_layouts(reader: Any, make: Any, told_apart: Any) -> None:
    told_apart(reader, make)


@pytest.mark.parametrize(("reader", "make"), TREES)
def test_any_damage_is_told(reader: Any, make: Any, spoil: Any) -> None:
    spoil(reader, make)
