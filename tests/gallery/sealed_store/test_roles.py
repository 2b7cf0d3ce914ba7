"""Who knows what: each role holds the least it can, and what leaves the key holder is little."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.errors import GalleryError, InputError, UsageError
from mien.gallery.base import Newcomer
from mien.gallery.sealed import matcher as matcher_module
from mien.gallery.sealed.enroller import Enroller
from mien.gallery.sealed.gallery import SealedGallery
from mien.gallery.sealed.index import Index
from mien.gallery.sealed.key_holder import KeyHolder, Released
from mien.gallery.sealed.keys import Keys, PublicKey, SecretKey
from mien.gallery.sealed.ledger import Ledger
from mien.gallery.sealed.matcher import Matcher, Response
from mien.gallery.sealed.opening import new_head, open_sealed, public_bytes
from mien.gallery.sealed.probe_device import Probe, ProbeDevice
from mien.gallery.sealed.profiles import profile
from mien.gallery.sealed.records import Marker, Sealer
from mien.gallery.sealed.ring import kernels, limbs
from mien.gallery.sealed.store import Store
from mien.types import Sample

Of = Callable[..., list[Sample]]
STANDARD = profile("standard")


def reachable(thing: Any) -> list[Any]:
    """Everything that an object holds, however deep."""
    seen: dict[int, Any] = {}
    ahead = [thing]
    while ahead:
        one = ahead.pop()
        if id(one) in seen or isinstance(one, type | int | float | str):
            continue
        seen[id(one)] = one
        if isinstance(one, dict):
            ahead += list(one.values())
        elif isinstance(one, list | tuple | set):
            ahead += list(one)
        elif type(one).__module__.startswith("mien"):
            names = [
                *getattr(one, "__dict__", {}),
                *(name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())),
            ]
            ahead += [getattr(one, name) for name in names if hasattr(one, name)]
    return list(seen.values())


def secrets_of(keys: Keys) -> set[bytes]:
    return {keys.mac, keys.records, keys.secret.signs.tobytes(), keys.secret.root, keys.secret.body}


def test_the_matcher_holds_no_key(people: Path, keys: Keys, of: Of) -> None:
    """Neither sanitising nor not; after a search and a change too."""
    for sanitise in (False, True):
        matcher = Matcher(Store(people), sanitise)
        probe = ProbeDevice(keys.public).encrypt(matcher.head().layout, of(1)[0].template.vector)
        matcher.search(probe)
        held = reachable(matcher)
        assert not [one for one in held if isinstance(one, Keys | SecretKey | KeyHolder | Marker | Sealer)]
        assert not secrets_of(keys) & {one for one in held if isinstance(one, bytes)}
        assert any(isinstance(one, PublicKey) for one in held) == sanitise
        matcher.close()


def test_the_matcher_has_no_way_to_secrets(people: Path) -> None:
    """It names nothing that loads or uses a secret key, and works where no keys are."""
    tree = ast.parse(Path(matcher_module.__file__).read_text(encoding="utf8"))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert not names & {
        "Keys",
        "SecretKey",
        "load",
        "decrypt",
        "decrypt_templates",
        "encrypt_templates",
        "KeyHolder",
        "secret",
    }
    for module in ("matcher", "probe_device", "store", "folder", "groups_file", "server"):
        source = ast.parse((Path(matcher_module.__file__).parent / f"{module}.py").read_text(encoding="utf8"))
        imported = {node.module for node in ast.walk(source) if isinstance(node, ast.ImportFrom) and node.module}
        assert not imported & {
            "mien.gallery.sealed.key_holder",
            "mien.gallery.sealed.opening",
            "mien.gallery.sealed.repacker",
        }
    assert sys.modules[Matcher.__module__] is matcher_module


def test_the_probe_device_holds_the_public_key_only(keys: Keys) -> None:
    held = reachable(ProbeDevice(keys.public))
    assert not [one for one in held if isinstance(one, Keys | SecretKey)]
    assert not secrets_of(keys) & {one for one in held if isinstance(one, bytes)}


def test_an_enroller_without_secrets_can_enrol(path: Path, keys: Keys, of: Of) -> None:
    """Public key, MAC key and record key are enough; the key holder then finds everybody, and no vault is needed."""
    from mien.gallery.sealed import folder

    folder.create(path, new_head(keys), public_bytes(keys))
    store = Store(path)
    head = store.head()
    marker, sealer = Marker(keys.mac, keys.identity, head.gallery), Sealer(keys.records, head.gallery)
    enroller = Enroller(keys.public, marker, sealer)
    assert not [one for one in reachable(enroller) if isinstance(one, Keys | SecretKey)]
    assert keys.secret.signs.tobytes() not in {one for one in reachable(enroller) if isinstance(one, bytes)}
    index = Index(marker, sealer, "here", head)
    index.update(store.state())
    for number in range(4):
        newcomer = Newcomer(f"p{number}", of(number), None, "2026-01-01T00:00:00+00:00")
        change, added = enroller.enrol(index, [newcomer], store.groups)
        assert change is not None and added == 2
        assert all(write.whole is None and write.rows for write in change.groups)  # the matcher places them
        assert store.apply(change)
        index.update(store.state(index.head.revision, index.head.epoch))
    store.close()
    with open_sealed(path, keys) as gallery:
        assert gallery.verify() == []
        assert gallery.search(of(2)[1].template, 1)[0].subject == "p2"
        (_, sample) = next(gallery.samples("p3"))
        assert sample.template.vector @ of(3)[0].template.vector == pytest.approx(1, abs=1e-3)
        assert gallery.forget("p1") == 2
        assert gallery.search(of(2)[1].template, 1)[0].subject == "p2"


class Case:
    """One search, taken apart."""

    def __init__(self, people: Path, keys: Keys, of: Of, ledger: Ledger | None = None) -> None:
        self.gallery = open_sealed(people, keys)
        self.index = self.gallery._index
        self.vector = of(3)[0].template.vector
        self.holder = KeyHolder(keys, ledger)
        self.matcher = self.gallery._depot
        self.probe = ProbeDevice(keys.public).encrypt(self.index.head.layout, self.vector)
        self.response = self.matcher.search(self.probe)

    def released(self, response: Response, threshold: float = 0.5, k: int = 1) -> Released:
        return self.holder.release(self.index, self.probe, response, threshold, k)


@pytest.fixture
def case(people: Path, keys: Keys, of: Of) -> Case:
    return Case(people, keys, of)


def test_only_what_passes_the_threshold_leaves_the_key_holder(case: Case) -> None:
    released = case.released(case.response, 0.5, 5)
    assert (released.accepted, [match.subject for match in released.matches]) == (True, ["p3"])
    low = case.released(case.response, -1.0, 3)
    assert len(low.matches) == 3
    assert all(round(match.score, 3) == match.score for match in low.matches)
    with pytest.raises(UsageError):
        case.released(case.response, float("nan"))


def test_a_threshold_nobody_reaches_releases_nothing(case: Case, of: Of) -> None:
    stranger = ProbeDevice(case.holder.keys.public).encrypt(case.index.head.layout, of(99)[0].template.vector)
    released = case.holder.release(case.index, stranger, case.matcher.search(stranger), 0.9)
    assert (released.accepted, released.matches) == (False, ())


def test_searches_are_counted(people: Path, keys: Keys, of: Of) -> None:
    ledger = Ledger()
    ledger.allow(2)
    case = Case(people, keys, of, ledger)
    for _ in range(2):
        case.released(case.response)
    with pytest.raises(GalleryError, match="quota of 2"):
        case.released(case.response)


def changed(case: Case, body: np.ndarray) -> Response:
    return Response(case.response.revision, case.response.numbers, body)


def test_a_lying_matcher_is_refused(case: Case) -> None:
    """Nothing but the groups' own computation decrypts: not noise, not zeros, not another group's answer or another probe's."""
    body = case.response.body
    random = np.random.default_rng(0).integers(0, 2**24, body.shape, dtype=np.uint32)
    zeros, double = np.zeros_like(body), body.copy()
    double[:, :, :2] = body[:, :, :2] * np.uint64(2) % np.array(STANDARD.primes, np.uint64).reshape(1, 2, 1, 1)
    for lie in (random, np.roll(body, 7, axis=-1), zeros):
        with pytest.raises(GalleryError, match="own groups"):
            case.released(changed(case, lie))
    random[:, :, 2] = zeros[:, :, 2] = body[:, :, 2]
    for lie in (random, zeros, double):
        with pytest.raises(GalleryError, match="cannot be"):
            case.released(changed(case, lie))
    with pytest.raises(GalleryError, match="another state"):
        case.released(Response(1, case.response.numbers, body))
    with pytest.raises(InputError):
        case.released(changed(case, body[:, :1]))


def test_an_answer_to_another_probe_is_refused(case: Case, of: Of) -> None:
    other = ProbeDevice(case.holder.keys.public).encrypt(case.index.head.layout, of(1)[0].template.vector)
    answer = case.matcher.search(other)
    assert case.holder.release(case.index, other, answer, 0.5).matches[0].subject == "p1"
    with pytest.raises(GalleryError, match="cannot be"):
        case.released(answer)


def moved(case: Case, offsets: dict[int, float]) -> Response:
    """The answer with scores of the first group moved: what a matcher can always do to a ciphertext."""
    body = case.response.body.copy()
    for index, table in enumerate(limbs(STANDARD.primes)):
        row = np.zeros((1, 2048), np.uint32)
        for slot, offset in offsets.items():
            row[0, slot] = round(offset * STANDARD.scale) % table.prime
        kernels().forward(row, table)
        body[0, index, 0] = kernels().add(body[0, index, 0][None], row, table)[0]
    return changed(case, body)


def test_a_score_that_was_moved_does_not_add_up(case: Case) -> None:
    """By a tenth, either way, in any slot; what sanitising may add is let pass."""
    group = case.index.table().groups[0]
    assert len(group.canaries) == 2 and len(group.covered) == 10 and group.edge == 0
    for slot in (*group.covered, *group.canaries):
        for offset in (-0.1, 0.1):
            with pytest.raises(GalleryError, match=r"add up|cannot be"):
                case.released(moved(case, {slot: offset}))
        assert case.released(moved(case, {slot: 5e-4})).accepted
    empty = next(slot for slot in range(32) if slot not in (*group.covered, *group.canaries))
    with pytest.raises(GalleryError, match="cannot be"):
        case.released(moved(case, {empty: 0.1}))


def test_moving_canaries_too_takes_luck(case: Case) -> None:
    """A matcher that knows which slots are canaries must guess two weights. Here it guesses 400 times, as well as one can."""
    random, group = np.random.default_rng(1), case.index.table().groups[0]
    case.holder.ledger.allow(400)
    passed = 0
    for _ in range(400):
        case.holder.ledger.forgive()  # else it would end after 50
        weights = random.choice([-1, 1], 2) * random.uniform(0.5, 1, 2)
        share = 0.3 * weights / (30 * 0.75)
        lie = {int(group.covered[0]): 0.3, **dict(zip(group.canaries, share.tolist(), strict=True))}
        try:
            case.released(moved(case, lie))
        except GalleryError:
            continue
        passed += 1
    assert passed <= 400 * 0.1


def test_after_fifty_refusals_nothing_is_answered(case: Case) -> None:
    """Each tells a lying matcher up to a bit of the key; honest answers in between change nothing."""
    case.holder.ledger.allow(1000)
    lie = moved(case, {case.index.table().groups[0].covered[0]: 0.2})
    for number in range(50):
        assert number % 10 or case.released(case.response).accepted
        with pytest.raises(GalleryError, match="add up"):
            case.released(lie)
    with pytest.raises(GalleryError, match="50 answers of matchers failed") as caught:
        case.released(case.response)
    assert "rotate" in caught.value.remedy
    case.holder.ledger.forgive()
    assert case.released(case.response).accepted


def test_templates_of_an_edge_are_in_no_canary(people: Path, keys: Keys, of: Of) -> None:
    """Their scores can be moved unseen until everything is written anew; the threat model says so."""
    store = Store(people)
    head = store.head()
    marker, sealer = Marker(keys.mac, keys.identity, head.gallery), Sealer(keys.records, head.gallery)
    index = Index(marker, sealer, "here", head)
    index.update(store.state())
    change, _ = Enroller(keys.public, marker, sealer).enrol(index, [Newcomer("edge", of(77), None, "")], store.groups)
    assert change is not None and store.apply(change)
    store.close()
    case = Case(people, keys, of)
    group = case.index.table().groups[0]
    assert (len(group.covered), group.edge) == (10, 2)
    slots = {row.slot for row in case.index.others(0) if not row.covered}
    assert case.released(moved(case, dict.fromkeys(slots, 0.7))).matches[0].subject == "p3"
    with pytest.raises(GalleryError, match="add up"):
        case.released(moved(case, {group.covered[0]: 0.3}))  # the edge's noise allows for more
    case.gallery.enrol("more", of(5))  # the key holder writes the group anew, and it still adds up
    assert case.gallery.search(of(77)[0].template, 1)[0].subject == "edge"


def test_a_probe_for_other_keys_is_refused(case: Case, other_keys: Keys) -> None:
    with pytest.raises(GalleryError, match="sealed with"):
        case.matcher.search(ProbeDevice(other_keys.public).encrypt(case.index.head.layout, case.vector))
    forged = Probe(case.holder.keys.identity, case.probe.body[:, :0])
    with pytest.raises(InputError):
        case.matcher.search(forged)


def test_in_one_process_it_is_called_encryption_at_rest(case: Case) -> None:
    assert isinstance(case.gallery, SealedGallery)
    assert case.gallery.in_process
    assert "encryption at rest" in sys.modules[SealedGallery.__module__].__doc__


def test_the_exact_profile_answers_in_whole_steps(path: Path, of: Of) -> None:
    keys = Keys.generate(profile("exact"))
    with open_sealed(path, keys) as gallery:
        for number in range(12):
            gallery.enrol(f"p{number}", of(number))
        gallery.forget("p5")
        probe = of(3)[0].template.vector
        found = {match.subject: match.score for match in gallery.search(of(3)[0].template, 20)}
        for number in (n for n in range(12) if n != 5):
            steps = [np.rint(sample.template.vector.astype(float) * 256) for sample in of(number)]
            best = max(float(row @ np.rint(probe.astype(float) * 256)) for row in steps) / 65536
            assert found[f"p{number}"] == pytest.approx(min(1.0, best), abs=1e-5)
        assert gallery.verify() == []
