"""The engine wires the street; it holds models, never people.

    engine = mien.Engine()
    people = mien.open_gallery("people.db")
    engine.enrol(people, "ana", ["ana1.jpg", "ana2.jpg"])
    for decision in engine.identify("door.mp4", people):
        print(decision.verdict, decision.subject, *decision.reasons)

Models load on first use. One engine may be used from several threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mien import detect, embed, judge, media, models
from mien.align import rehome
from mien.decide import NEIGHBOURS, Policy, decide
from mien.detect.clips import clips as windows
from mien.detect.track import Patient, Tracker
from mien.errors import MienError, NoFace, PoorFace, SeveralFaces, SpaceMismatch, UsageError
from mien.protocols import Detector, Embedder, Gallery, Judge
from mien.sighting import Shot, Sighting, judged, search_all, spread
from mien.sources import Enrolment, Progress, Refusal, Source, ahead, called, or_error, the_one, told
from mien.types import Clip, Decision, Face, Frame, Match, OperatingPoint, Reading, Sample, Template

if TYPE_CHECKING:
    from mien.where import Where

T = TypeVar("T")
R = TypeVar("R")

LOOKS = 3  # shots of one clip that are embedded; a track of several clips gets as many from each


class Engine:
    """Detector, embedder and judges behind a dozen verbs.

    detector, embedder: names of model cards. judges: names of further judges, or judges of one's own, beside quality, which
    always looks. threads: workers for work on many pictures (default: one per core); a single picture uses one thread, because
    networks this small gain nothing from more. device: what the models run on, such as "cuda"; they load there, or not."""

    def __init__(
        self,
        detector: str = "mtcnn",
        embedder: str = "dlib_resnet",
        judges: Sequence[str | Judge] = (),
        threads: int | None = None,
        device: str = "cpu",
    ) -> None:
        self.threads, self.device = threads or os.cpu_count() or 1, device
        self._names = (detector, embedder, ("quality", *(name for name in judges if name != "quality")))
        self._lock = RLock()

    @cached_property
    def detector(self) -> Detector:
        """Loaded on first use. Raises ModelError."""
        with self._lock, models.on(self.device):
            return self.__dict__.get("detector") or detect.load(self._names[0])

    @cached_property
    def _quick(self) -> Detector:
        """The detector without second looks."""
        return self.detector.one_look() if isinstance(self.detector, Patient) else self.detector

    @cached_property
    def embedder(self) -> Embedder:
        """Loaded on first use. Raises ModelError."""
        with self._lock, models.on(self.device):
            return self.__dict__.get("embedder") or embed.load(self._names[1])

    @cached_property
    def judges(self) -> tuple[Judge, ...]:
        """Quality first. Loaded on first use. Raises ModelError."""
        with self._lock, models.on(self.device):
            return self.__dict__.get("judges") or tuple(
                judge.load(one) if isinstance(one, str) else one for one in self._names[2]
            )

    @cached_property
    def points(self) -> tuple[OperatingPoint, ...]:
        """The operating points on the embedder's card, for its template space."""
        card = models.card(self._names[1])
        return tuple(point for point in card.operating_points if point.space in ("", self.embedder.space))

    # --- seeing ---------------------------------------------------------------------------------------------------

    def detect(self, source: Source) -> Iterator[Face]:
        """Every face of a picture or video, frame by frame, largest first. Raises MediaNotFound, UnreadableMedia.

        A frame of a video without faces gets no second look: that would make empty scenes the slowest."""
        for frame in media.frames_of(source):
            detector = self._quick if frame.index or frame.time else self.detector
            yield from detector.detect([frame])[0]

    def faces(self, frame: Frame) -> list[Face]:
        """The faces of one frame, largest first."""
        return self.detector.detect([frame])[0]

    def clips(self, source: Source, progress: Progress | None = None, every: float | None = None) -> Iterator[Clip]:
        """One clip per person of a picture; bounded windows per person of a video, each when it is complete.

        `every`: length of the windows in s, 0 for each frame by itself; None for what `identify` looks at.
        `progress` is called with the time in s of each frame of a video and its duration, None where that is unknown.
        Raises MediaNotFound, UnreadableMedia; a video that fails half-way first hands over what was seen."""
        if isinstance(source, (Frame, np.ndarray)) or media.kind(source) == "image":
            for face in self.faces(media.read_image(source)):
                yield Clip((face,))
            return
        with media.open_video(source) as video:
            frames = told(video.frames(), video.duration, progress)
            around = max(one.needs.around for one in self.judges)
            yield from windows(frames, Tracker(self.detector), video.fps, every=every, around=around)

    def readings(
        self, source: Source, every: float = 1.0, progress: Progress | None = None
    ) -> Iterator[tuple[Clip, list[Reading]]]:
        """What the judges read off everybody seen: once off a picture, every so many seconds (0: each frame) off a video.

        Nothing is held longer than its window. Raises as `clips`."""
        for clip in self.clips(source, progress, every):
            yield clip, self.judge(clip)

    def judge(self, clip: Clip) -> list[Reading]:
        """All judges' readings; a need that the clip does not meet is a reading with its reason and no score."""
        return [reading for one in self.judges for reading in judged(one, clip)]

    def template(self, source: Source | Clip) -> Template:
        """The template of the one person in `source`, fused from the best shots.

        Raises UnreadableMedia, NoFace, SeveralFaces; for a picture also PoorFace."""
        if isinstance(source, Clip):
            person = Sighting()
            self._look(person, source)
            return person.probe()[0]
        return self.sample(source).template

    def shots(self, faces: Sequence[Face]) -> list[Shot]:
        """The template and the quality of each face, in order; a poor face has one too, and its quality says so."""
        quality = [judged(self.judges[0], Clip((face,)))[0] for face in faces]
        return [
            Shot(face, Template(template.vector, template.space, reading.scores.get("overall")), reading)
            for face, template, reading in zip(faces, self.embedder.embed(faces), quality, strict=True)
        ]

    def sample(self, source: Source, *, keep_image: bool = False) -> Sample:
        """The one face of a picture as an enrolled capture.

        Raises UnreadableMedia, NoFace, SeveralFaces, and PoorFace below the quality at which strangers look alike."""
        return _captured(self.shots([self._face(source)])[0], called(source), keep_image)

    def samples(self, sources: Sequence[Source], *, keep_images: bool = False) -> list[Sample | MienError]:
        """`sample` of each picture, or the error it would raise. All are held and embedded together: eight at a time go a
        tenth faster than one by one. Raises InputError for a face whose points fit no face, then for all."""
        found = [or_error(self._face, source) for source in sources]
        shots = iter(self.shots([face for face in found if isinstance(face, Face)]))
        return [
            or_error(_captured, next(shots), called(source), keep_images) if isinstance(face, Face) else face
            for source, face in zip(sources, found, strict=True)
        ]

    def _face(self, source: Source) -> Face:
        frame = media.read_image(source)
        return the_one(self.faces(frame), frame.source or "the picture")

    # --- knowing --------------------------------------------------------------------------------------------------

    def enrol(
        self,
        gallery: Gallery,
        subject: str,
        sources: Iterable[Source],
        *,
        keep_images: bool = False,
        metadata: Mapping[str, Any] | None = None,
    ) -> Enrolment:
        """Enrol one subject from pictures. What cannot be used is listed; the rest is durable on return.

        Raises UsageError for a single picture, BadSubject, SpaceMismatch and other GalleryErrors."""
        if isinstance(sources, str | bytes | os.PathLike | np.ndarray | Frame):  # or each letter would be a picture
            raise UsageError("A list of pictures is wanted, not one picture.", "Put it into brackets: [picture].")
        found = self.map(lambda item: self.sample(item, keep_image=keep_images), sources)
        return self.take(gallery, subject, [(called(source), result) for source, result in found], metadata)

    def take(
        self,
        gallery: Gallery,
        subject: str,
        found: Sequence[tuple[str, Sample | MienError]],
        metadata: Mapping[str, Any] | None = None,
    ) -> Enrolment:
        """`enrol` of what `sample` made, or could not make, of pictures by name."""
        samples, refused, warnings = [], [], []
        for name, result in found:
            if isinstance(result, MienError):
                refused.append(Refusal(name, result))
                continue
            samples.append(result)
            if (result.template.quality or 0) < Policy().quality:
                warnings.append(f"{name}: a poor picture to know somebody by; add a better one")
        warnings += self._lookalikes(gallery, subject, samples)
        held = self.growth_warning(gallery) is None
        added = gallery.enrol(subject, samples, metadata) if samples else 0
        if held and (outgrown := self.growth_warning(gallery)):  # said once: when the size is crossed
            warnings.append(outgrown)
        return Enrolment(subject, added, len(samples) - added, tuple(refused), tuple(warnings))

    def verify(self, one: Source, other: Source, policy: Policy | None = None) -> Decision:
        """Is it the same person? Anything that is no clear yes or no abstains, with its reason.

        Raises MediaNotFound, UnreadableMedia, EvidenceError (a rate that the card cannot support)."""
        policy = policy or Policy()
        point = policy.point(self.points)
        self.require(policy)
        people = []
        for source in (one, other):
            try:
                frame = media.read_image(source)
                face = the_one(self.faces(frame), frame.source or called(source))
            except (NoFace, SeveralFaces) as error:
                return Decision("abstain", (error.message,), threshold=point, source=called(source))
            people.append(Sighting())
            self._look(people[-1], Clip((face,)))
        (first, _), (second, _) = (person.probe() for person in people)  # of one shot each
        score = float(first.vector @ second.vector)
        readings = [reading for person in people for reading in person.readings()]
        faces = tuple(face for person in people for face in person.faces())
        decision = decide([Match("", score)], readings, policy, point)
        return replace(decision, subject=None, faces=faces, source=called(one))

    def same_space(self, gallery: Gallery) -> None:
        """Raise SpaceMismatch where the gallery's templates are another embedder's."""
        if gallery.space not in (None, self.embedder.space):
            raise SpaceMismatch(
                f"The gallery holds templates of space {gallery.space}; {self.embedder.name} makes {self.embedder.space}.",
                "Name the embedder the gallery was made with, or re-embed it with `mien migrate`.",
            )

    def search_point(
        self, gallery: Gallery, policy: Policy, counts: tuple[int, int] | None = None, found: int | None = None
    ) -> OperatingPoint:
        """What identifying in the gallery is decided at by now: relative scores where it has evidence for them, else cosines.

        counts: people and templates that the search compares with; None for all. found: matches that it gave; None for
        as many as there are people. Raises EvidenceError."""
        (people, templates), own = counts or gallery.count(), self._own(gallery)
        relative = policy.relative(own, people) if (people if found is None else found) > NEIGHBOURS else None
        return relative or policy.sized(own, people) or self.cosine_point(gallery, policy, templates)

    def cosine_point(self, gallery: Gallery, policy: Policy, templates: int) -> OperatingPoint:
        """For cosines: the gallery's own evidence where it reaches the rate wanted, the card's where it does not."""
        own, size = self._own(gallery), max(1, templates)  # of an empty gallery the loosest
        return policy.point(own if policy.reached(own, size) else self.points, size)

    def growth_warning(self, gallery: Gallery, policy: Policy | None = None) -> str | None:
        """What to tell the owner of a gallery that no known threshold fits at its present size; None while one does."""
        where = str(getattr(gallery, "where", "the gallery"))
        counts = gallery.count()  # both at one moment: people may go meanwhile
        return (policy or Policy()).growth_warning(self._own(gallery), self.points, *counts, where)

    def identify(
        self,
        source: Source,
        gallery: Gallery,
        policy: Policy | None = None,
        progress: Progress | None = None,
        where: Where | None = None,
    ) -> Iterator[Decision]:
        """One decision per person seen, as soon as that person has left or the source has ended.

        where: compare only with those of whom it is true; the threshold is then the one for as many people.
        Raises MediaNotFound, UnreadableMedia, SpaceMismatch, EvidenceError."""
        policy = policy or Policy()
        self.same_space(gallery)
        self.search_point(gallery, policy, gallery.count(where))  # refuses an unsupported rate before the work
        self.require(policy)
        seen: dict[int, Sighting] = {}
        for number, clip in enumerate(self.clips(source, progress)):
            key = clip.faces[0].track if clip.faces[0].track >= 0 else -1 - number
            person = seen.setdefault(key, Sighting())
            self._look(person, clip)
            if clip.ended:
                del seen[key]
                matches = search_all([person], gallery, NEIGHBOURS + 1, where)[0]
                yield self._decided(person, matches, gallery, policy, where)

    def identify_many(
        self,
        pictures: Sequence[Source],
        gallery: Gallery,
        policy: Policy | None = None,
        where: Where | None = None,
        most: int | None = None,
    ) -> list[list[Decision] | MienError]:
        """`identify` of each picture, or the error it would raise. All go through models and gallery together, which is
        quicker than one after the other. most: faces looked at in each, largest first; None for all.

        Raises SpaceMismatch, EvidenceError, then for all."""
        policy = policy or Policy()
        self.same_space(gallery)
        self.search_point(gallery, policy, gallery.count(where))
        self.require(policy)
        frames = [or_error(media.read_image, picture) for picture in pictures]
        found = [or_error(self.faces, one) if isinstance(one, Frame) else one for one in frames]
        seen = [face for faces in found if isinstance(faces, list) for face in faces[:most]]
        people = [Sighting() for _ in seen]
        for person, face, shot in zip(people, seen, self.shots(seen) if seen else [], strict=True):
            self._note(person, Clip((face,)), [shot])
        decided = iter(self.decided(people, gallery, policy, where))
        return [[next(decided) for _ in one[:most]] if isinstance(one, list) else one for one in found]

    def decided(
        self, people: Sequence[Sighting], gallery: Gallery, policy: Policy, where: Where | None = None
    ) -> list[Decision]:
        """The decision about each, on what was seen of them so far. Raises SpaceMismatch, EvidenceError."""
        matches = search_all(people, gallery, NEIGHBOURS + 1, where)
        return [self._decided(one, each, gallery, policy, where) for one, each in zip(people, matches, strict=True)]

    def _decided(
        self, person: Sighting, matches: list[Match], gallery: Gallery, policy: Policy, where: Where | None
    ) -> Decision:
        """The decision about somebody seen, at the threshold for those who are in the gallery now."""
        # Anew for each person: while a camera runs, people come into the gallery and go.
        counts = gallery.count(where)
        point = self.search_point(gallery, policy, counts, len(matches))
        decision = decide(matches, person.readings(), policy, point, max(1, counts[1]))
        reasons = (*decision.reasons, where.told(counts[0], len(gallery))) if where else decision.reasons
        faces = person.faces()
        return replace(decision, reasons=reasons, faces=faces, span=person.span(), source=faces[0].frame.source)

    # --- many -----------------------------------------------------------------------------------------------------

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R | MienError]]:
        """`function` over `items` on all threads, in order, looking a few items ahead; a MienError is a result."""
        return ahead(function, items, self.threads)

    def require(self, policy: Policy) -> None:
        """Load what reads the kinds that a policy requires, where nothing here reads them yet. Raises ModelError.

        A kind that nobody knows is left: whoever is decided about then gets an abstain that names it."""
        with self._lock, models.on(self.device):
            read = {one.kind for one in self.judges}
            wanted = dict.fromkeys(kind for kind, _, _ in policy.require if kind not in read and judge.known(kind))
            if wanted:
                self.__dict__["judges"] = (*self.judges, *map(judge.load, wanted))

    # --- inside ---------------------------------------------------------------------------------------------------

    def _look(self, person: Sighting, clip: Clip) -> None:
        """Add the best shots of `clip` to what is known of a person, and what the judges read off the clip."""
        picked = spread(clip.faces, LOOKS)
        self._note(person, clip, self.shots(picked))

    def _note(self, person: Sighting, clip: Clip, shots: Sequence[Shot]) -> None:
        person.add(clip, shots)
        for one in self.judges[1:]:
            person.further += judged(one, clip)

    def _own(self, gallery: Gallery) -> list[OperatingPoint]:
        return [point for point in gallery.points if point.space == self.embedder.space]

    def _lookalikes(self, gallery: Gallery, subject: str, samples: Sequence[Sample]) -> list[str]:
        """Whoever is enrolled under another name and looks the same."""
        self.same_space(gallery)
        if not samples or not len(gallery) or not self.points:
            return []
        threshold = self.cosine_point(gallery, Policy(), gallery.templates).threshold
        found = {
            match.subject: match.score
            for sample in samples
            for match in gallery.search(sample.template, 2)
            if match.subject != subject and match.score >= threshold
        }
        return [f"looks like {name}, who is enrolled (score {score:.3f})" for name, score in found.items()]


def _captured(shot: Shot, name: str, keep_image: bool) -> Sample:
    """What is enrolled of a shot. Raises PoorFace."""
    if shot.worth < Policy().floor:
        reasons = "; ".join(shot.quality.reasons) or f"quality {shot.worth:.2f}"
        raise PoorFace(f"The face in {name} is too poor to know anybody by: {reasons}.", "Give a better picture.")
    return Sample(shot.template, rehome(shot.face) if keep_image else None, shot.face.frame.source)
