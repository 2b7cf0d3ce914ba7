"""A live view: pictures of one camera as they come, to who is in them. Faces are followed, and each is decided about anew
every half second on the best of what was seen of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mien import media, wire
from mien.align import rehome
from mien.decide import Policy
from mien.detect.track import Tracker, TrackerOptions
from mien.gallery import BaseGallery
from mien.sighting import Sighting, judged
from mien.types import Clip, Decision, Face

if TYPE_CHECKING:
    from mien.engine import Engine
    from mien.where import Where

RENEWED = 0.5  # s of a track after which it is decided about again
_RECENT = 16  # faces of a track that judges of motion are given
_PATIENCE = 2.0  # s that a face may be out of sight


@dataclass(slots=True, eq=False)
class _Seen:
    """Somebody being followed."""

    person: Sighting = field(default_factory=Sighting)
    recent: deque[Face] = field(default_factory=lambda: deque(maxlen=_RECENT))
    decided: float = -RENEWED  # time of the last decision, s
    answer: Decision | None = None


class View:
    """The faces of one connection. For one thread at a time; what it keeps is bounded by the faces in sight."""

    def __init__(self, engine: Engine, gallery: BaseGallery, policy: Policy, where: Where | None, most: int) -> None:
        self._engine, self._gallery, self._policy, self._where = engine, gallery, policy, where
        self._most = most  # faces looked at
        # Frames come as fast as they are looked at, so patience is counted for a slow camera.
        self._tracker = Tracker(engine.detector, TrackerOptions(every=3, birth=1, patience=round(_PATIENCE * 5)))
        self._tracks: dict[int, _Seen] = {}
        self._index = 0
        self._times: deque[float] = deque(maxlen=20)
        self.changed: list[Decision] = []  # decisions of the last picture that are new or other than before

    def look(self, data: bytes, time: float, most_pixels: int) -> list[dict[str, Any]]:
        """The faces of the next picture, largest first. Raises UnreadableMedia, SpaceMismatch, EvidenceError."""
        self.changed = []
        frame = replace(media.read_image(data, max_pixels=most_pixels), source="", index=self._index, time=time)
        self._index += 1
        self._times.append(time)
        faces = self._tracker.update(frame)[: self._most]
        for number in self._tracker.ended():
            self._tracks.pop(number, None)
        for face in faces:
            self._tracks.setdefault(face.track, _Seen()).recent.append(rehome(face))
        due = [face.track for face in faces if time - self._tracks[face.track].decided >= RENEWED]
        self.changed = self._renew(due, time) if due else []
        return [_told(face, self._tracks[face.track].answer) for face in faces]

    def _renew(self, due: list[int], time: float) -> list[Decision]:
        seen = [self._tracks[number] for number in due]
        shots = self._engine.shots([one.recent[-1] for one in seen])
        for one, shot in zip(seen, shots, strict=True):
            clip = Clip(tuple(one.recent), fps=self._fps())
            one.person.add(clip, [shot])
            # What is read now counts, so that somebody who was live once cannot hand over to a photo.
            one.person.further = [reading for each in self._engine.judges[1:] for reading in judged(each, clip)]
        decisions = self._engine.decided([one.person for one in seen], self._gallery, self._policy, self._where)
        changed = []
        for one, decision in zip(seen, decisions, strict=True):
            before, one.answer, one.decided = one.answer, decision, time
            if before is None or (before.verdict, before.subject) != (decision.verdict, decision.subject):
                changed.append(decision)
        return changed

    def _fps(self) -> float:
        length = self._times[-1] - self._times[0]
        return (len(self._times) - 1) / length if length > 0 else 1.0


def _told(face: Face, answer: Decision | None) -> dict[str, Any]:
    shown = wire.face(face)
    told: dict[str, Any] = {"box": shown["box"], "track": face.track}
    if answer is None:
        return told | {"verdict": None, "subject": None, "score": None, "reasons": []}
    score = wire.encode(answer.score)
    return told | {
        "verdict": answer.verdict,
        "subject": answer.subject,
        "score": score,
        "reasons": list(answer.reasons),
    }
