"""Folders in the layouts in which data sets are handed out, to data sets: one module per layout, imported when it is read.

A module has `EXPECTED` (what the folder holds, in words), `fits(root)` (a cheap look) and `read(root)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from mien.errors import InputError, MediaNotFound, MienError, UsageError

if TYPE_CHECKING:
    from mien.learn.data.example import Dataset


class Reader(Protocol):
    """What a module of a layout has."""

    EXPECTED: str

    def fits(self, root: Path) -> bool:
        """Whether the folder looks like the layout, by a few names."""

    def read(self, root: Path) -> Dataset:
        """The data set. Raises MediaNotFound, InputError."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout as a listing shows it."""

    name: str  # as --layout takes it; also the module's
    title: str
    holds: str  # what its examples are and carry, in a few words
    source: str  # paper
    terms: str  # under which it is handed out, in a few words; the data set's own page decides

    @property
    def reader(self) -> Reader:
        """The module, imported now."""
        return cast("Reader", import_module(f"{__name__}.{self.name}"))

    @property
    def wants(self) -> str:
        """What the folder looks like."""
        return self.reader.EXPECTED


_CAS = "agreement with the Chinese Academy of Sciences; research"
_OULU = "agreement with the University of Oulu; research"

LAYOUTS: Mapping[str, Layout] = {
    name: Layout(name, *told)
    for name, *told in (
        ("fer2013", "FER2013", "grey pictures of 48 px; 7 expressions",
         "Goodfellow et al., Challenges in representation learning, ICONIP 2013", "challenge data; research"),
        ("ferplus", "FER+", "FER2013 with ten votes per picture; 8 expressions",
         "Barsoum et al., Training deep networks for facial expression recognition with crowd-sourced label distribution, "
         "ICMI 2016", "labels MIT; pictures as FER2013"),
        ("raf_db", "RAF-DB", "aligned pictures; 7 basic, 11 compound expressions",
         "Li, Deng, Du, Reliable crowdsourcing and deep locality-preserving learning, CVPR 2017",
         "agreement with the authors; non-commercial research"),
        ("affectnet", "AffectNet", "pictures; 8 expressions, valence, arousal",
         "Mollahosseini et al., AffectNet, IEEE TAC 10(1), 2019", "agreement with the University of Denver; research"),
        ("ck_plus", "CK+", "frames from neutral to apex; 7 expressions, action units",
         "Lucey et al., The extended Cohn-Kanade dataset, CVPR Workshops 2010",
         "agreement with the authors; non-commercial research"),
        ("kdef", "KDEF", "posed pictures from five sides; 7 expressions",
         "Lundqvist, Flykt, Öhman, The Karolinska Directed Emotional Faces, 1998", "non-commercial research, on request"),
        ("dfew", "DFEW", "clips of films; 7 expressions, ten votes, 5 folds",
         "Jiang et al., DFEW, ACM Multimedia 2020", "agreement with the authors; non-commercial research"),
        ("ferv39k", "FERV39k", "clips of 22 scenes; 7 expressions", "Wang et al., FERV39k, CVPR 2022",
         "agreement with the authors; non-commercial research"),
        ("mafw", "MAFW", "clips; 11 single, 43 with compound expressions, 5 folds",
         "Liu et al., MAFW, ACM Multimedia 2022", "agreement with the authors; non-commercial research"),
        ("affwild2", "Aff-Wild2", "frames of videos; 8 expressions, 12 action units, valence, arousal",
         "Kollias, Zafeiriou, Expression, affect, action unit recognition: Aff-Wild2, BMVC 2019",
         "agreement with the authors; academic research"),
        ("bp4d", "BP4D-Spontaneous", "frames of 41 subjects in 8 tasks; 12 action units",
         "Zhang et al., BP4D-Spontaneous, Image and Vision Computing 32(10), 2014",
         "licence of Binghamton University; research"),
        ("disfa", "DISFA", "frames of 27 subjects; intensity of 12 action units",
         "Mavadati et al., DISFA, IEEE TAC 4(2), 2013", "agreement with the University of Denver; research"),
        ("casme2", "CASME II", "micro-expressions at 200 frames/s; emotion, intervals, action units",
         "Yan et al., CASME II, PLoS ONE 9(1), 2014", _CAS),
        ("samm", "SAMM", "micro-expressions at 200 frames/s; emotion, intervals, action units",
         "Davison et al., SAMM, IEEE TAC 9(1), 2018", "licence of Manchester Metropolitan University; research"),
        ("smic", "SMIC", "micro-expressions; 3 classes", "Li et al., A spontaneous micro-expression database, FG 2013",
         _OULU),
        ("cas_me_2", "CAS(ME)^2", "long videos with micro- and macro-expressions marked",
         "Qu et al., CAS(ME)^2, IEEE TAC 9(4), 2018", _CAS),
        ("cas_me_3", "CAS(ME)^3", "long videos with micro- and macro-expressions marked; part A",
         "Li et al., CAS(ME)^3, IEEE TPAMI 45(3), 2023", _CAS),
        ("mmme", "MMME", "micro-expressions with physiology; emotion, intervals, action units",
         "MMME, a multi-modal micro-expression dataset, 2025", "agreement with the authors; research"),
        ("meld", "MELD", "utterances of a series: text, video; 7 emotions",
         "Poria et al., MELD, ACL 2019", "annotations GPL-3.0; the videos are a broadcaster's"),
        ("iemocap", "IEMOCAP", "utterances of ten actors: text, sound, video; emotions",
         "Busso et al., IEMOCAP, Language Resources and Evaluation 42, 2008",
         "licence of the University of Southern California; research"),
        ("mahnob_hci", "MAHNOB-HCI", "people watching films, with physiology; felt valence, arousal",
         "Soleymani et al., A multimodal database for affect recognition, IEEE TAC 3(1), 2012",
         "agreement with the authors; academic research"),
        ("deap", "DEAP", "people watching music videos, EEG and more; felt valence, arousal",
         "Koelstra et al., DEAP, IEEE TAC 3(1), 2012", "agreement with the authors; academic research"),
        ("ubfc", "UBFC-rPPG", "videos with pulse", "Bobbia et al., Unsupervised skin tissue segmentation for remote "
         "photoplethysmography, Pattern Recognition Letters 124, 2019", "research"),
        ("pure", "PURE", "frames with pulse, six movements", "Stricker, Müller, Gross, Non-contact video-based pulse "
         "rate measurement on a mobile service robot, RO-MAN 2014", "agreement with TU Ilmenau; research"),
        ("oulu_npu", "OULU-NPU", "videos; live, print, replay", "Boulkenafet et al., OULU-NPU, FG 2017", _OULU),
        ("casia_fasd", "CASIA-FASD", "videos; live, print, cut print, replay",
         "Zhang et al., A face antispoofing database with diverse attacks, ICB 2012", "agreement with the authors; research"),
        ("replay_attack", "Replay-Attack", "videos; live, print, replay",
         "Chingovska, Anjos, Marcel, On the effectiveness of local binary patterns in face anti-spoofing, BIOSIG 2012",
         "licence of Idiap; research"),
        ("msu_mfsd", "MSU-MFSD", "videos; live, print, replay",
         "Wen, Han, Jain, Face spoof detection with image distortion analysis, IEEE TIFS 10(4), 2015",
         "agreement with Michigan State University; research"),
        ("celeba_spoof", "CelebA-Spoof", "pictures; live and 10 kinds of attack",
         "Zhang et al., CelebA-Spoof, ECCV 2020", "non-commercial research"),
        ("lfw", "LFW", "photos by person, unlabelled", "Huang et al., Labeled Faces in the Wild, UMass TR 07-49, 2007",
         "research"),
        ("uniattack", "UniAttackData", "frames; live, physical, adversarial, digital attacks",
         "Fang et al., Unified physical-digital face attack detection, IJCAI 2024", "agreement with the authors; research"),
    )
}  # fmt: skip


def read(root: str | Path, layout: str | None = None) -> Dataset:
    """The data set under a folder (of FER2013: or in a zip) in the layout of that name, or in the one that it looks like.

    Raises UsageError for an unknown layout, and where several fit; MediaNotFound; InputError where none fits."""
    path = Path(root)
    if layout is not None and layout not in LAYOUTS:
        raise UsageError(f"There is no layout {layout}.", f"Layouts are {', '.join(LAYOUTS)}.")
    return LAYOUTS[layout if layout is not None else guess(path)].reader.read(path)


def guess(root: Path) -> str:
    """The name of the one layout that fits. Raises UsageError where several do; MediaNotFound, InputError where none does."""
    from mien.media.door import shown

    if not root.exists():
        raise MediaNotFound(f"There is no {shown(root)}.", "Check the name.")
    fitting = [name for name, one in LAYOUTS.items() if _fits(one, root)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UsageError(f"{shown(root)} looks like {' and like '.join(fitting)}.", "Say which with --layout.")
    raise InputError(
        f"{shown(root)} is in none of the layouts {', '.join(LAYOUTS)}; found is {_found(root)}.",
        "Name the data set's folder as it was handed out, or say with --layout what it should be and what is missing is told.",
    )


def _fits(layout: Layout, root: Path) -> bool:
    try:
        return layout.reader.fits(root)
    except MienError:  # a file where a folder is read, or a damaged list: then it is not this one
        return False


def _found(root: Path) -> str:
    from mien.learn.data.trees import Tree

    return Tree(root).top if root.is_dir() else "a file"
