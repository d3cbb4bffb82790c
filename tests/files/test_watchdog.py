"""A service that takes too long ends the run, and is not skipped."""

from __future__ import annotations

import signal
import threading

import pytest

from conftest import Run, Tree, service
from kargo_fleet.errors import FleetError
from kargo_fleet.files.watchdog import watched


def _work() -> None:
    while True:
        pass


def test_endless_work_is_ended_with_the_services_name() -> None:
    before = signal.getsignal(signal.SIGPROF)
    with (
        pytest.raises(FleetError, match=r"^nginx: .* more than 0.05 seconds of processor time; nothing was written"),
        watched("nginx", 0.05),
    ):
        _work()
    assert signal.getsignal(signal.SIGPROF) == before
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_waiting_is_no_work() -> None:
    with watched("nginx", 0.05):
        threading.Event().wait(0.2)


def test_another_thread_is_not_watched() -> None:
    done = []

    def work() -> None:
        with watched("nginx", 0.05):
            done.append(sum(range(1000)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done


@pytest.mark.parametrize("services", [2, 600], ids=["one process", "workers"])
def test_the_run_ends(tree: Tree, run: Run, monkeypatch: pytest.MonkeyPatch, services: int) -> None:
    def build(_inputs: object, name: str, _reader: object) -> None:
        assert name == "nginx"
        _work()

    root = tree({path: text for number in range(1, services) for path, text in service(f"nginx-{number}").items()})
    real = "kargo_fleet.generate.evaluate.build"
    from kargo_fleet.generate import evaluate

    inner = evaluate.build
    monkeypatch.setattr(real, lambda inputs, name, reader: (build if name == "nginx" else inner)(inputs, name, reader))
    monkeypatch.setattr("kargo_fleet.generate.evaluate.watched", lambda name: watched(name, 0.2))
    result = run("generate", "--no-cache")
    assert (result.status, result.stdout) == (2, "")
    assert "nginx: checking this service takes more than 0.2 seconds" in result.stderr
    assert not (root / "values").exists()
