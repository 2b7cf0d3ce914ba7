"""A real Ray cluster of two nodes on this machine: same templates, and a node that is lost loses nothing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mien.bulk import Options, Outcome, enrol
from mien.errors import UsageError
from mien.gallery import open_gallery

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # Ray leaves sockets and files to the collector
]
Write = Callable[[Mapping[str, bytes | str]], Path]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without CPUs and two nodes with one each."""
    pytest.importorskip("ray", reason="ray is absent")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    made.nodes = [made.add_node(num_cpus=1), made.add_node(num_cpus=1)]
    yield made
    made.shutdown()


def stub(delay: float) -> Any:
    from bulk_stub import Stub

    return Stub(delay, noise=True)


def test_two_nodes_and_then_one(cluster: Any, photos: Write, tmp_path: Path) -> None:
    """A node is taken away in the middle of the work; its photos are done by the other, each once."""
    source = photos({f"p{n:03d}/1.jpg": "none" if n == 7 else str(n) for n in range(400)})
    seen: list[int] = []

    def progress(outcome: Outcome) -> None:
        seen.append(outcome.looked)
        if outcome.looked >= 80 and len(cluster.nodes) == 2:
            node = cluster.nodes.pop()
            threading.Thread(target=cluster.remove_node, args=(node, False)).start()

    with open_gallery(tmp_path / "people.db") as people:
        options = Options(ray=cluster.address, small=0)
        outcome = enrol(people, source, plan=stub(0.02), options=options, progress=progress)
        assert (outcome.samples, outcome.failed, outcome.workers) == (399, 1, 2)
        assert len(cluster.nodes) == 1
        assert sorted(name for name, _ in people.samples()) == [f"p{n:03d}" for n in range(400) if n != 7]
        again = enrol(people, source, plan=stub(0), options=options)
        assert (again.before, again.looked) == (399, 0)


def test_a_photo_that_ends_its_worker_costs_itself_alone(cluster: Any, photos: Write, tmp_path: Path) -> None:
    source = photos({f"p{n:03d}/1.jpg": "die" if n == 20 else str(n) for n in range(60)})
    refused: dict[str, str] = {}
    with open_gallery(tmp_path / "people.db") as people:
        outcome = enrol(
            people,
            source,
            plan=stub(0),
            options=Options(ray=cluster.address, small=0),
            refused=lambda name, error: refused.update({name: str(error)}),
        )
    assert (outcome.samples, outcome.failed) == (59, 1)
    assert [Path(name).parent.name for name in refused] == ["p020"]


def test_a_cluster_that_is_not_there(photos: Write, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is absent")
    start = time.monotonic()
    with open_gallery(tmp_path / "people.db") as people, pytest.raises(UsageError, match="cannot be reached"):
        enrol(people, photos({"a/1.jpg": "1"}), plan=stub(0), options=Options(ray="127.0.0.1:1", small=0))
    assert time.monotonic() - start < 120
