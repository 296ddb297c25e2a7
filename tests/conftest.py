"""What every test may ask for: a warm kernel cache, and sound servers started for it alone."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import servers

IN_CI = os.environ.get("CI") == "true"
SERVERS = {"pulse_server", "pipewire_server", "jack_server"}


@pytest.fixture(scope="session")
def warm() -> None:
    """Compile the engine once, so that a subprocess loads it from the kernel cache."""
    import rtsep

    rtsep.Engine("bypass")


@pytest.fixture
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders for sockets, presets, models and state that no other test and no user has."""
    for kind in ("runtime_dir", "data_home", "state_home", "config_home"):
        folder = tmp_path / kind.partition("_")[0].replace("time", "")
        folder.mkdir(mode=0o700)
        monkeypatch.setenv(f"XDG_{kind.upper()}", str(folder))
    return tmp_path


def _installed(kind: str) -> None:
    if lacking := servers.missing(kind):
        pytest.skip(f"no {', '.join(lacking)} here: `tools/test --servers` installs them")


@pytest.fixture
def pulse_server() -> Iterator[servers.Server]:
    _installed("pulse")
    with servers.pulse() as server:
        yield server


@pytest.fixture
def pipewire_server() -> Iterator[servers.Server]:
    _installed("pipewire")
    with servers.pipewire() as server:
        yield server


@pytest.fixture
def jack_server() -> Iterator[servers.Server]:
    _installed("jack")
    with servers.jack() as server:
        yield server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SERVERS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("servers")


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where CI=true: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    report = yield
    _refuse_skip(report)
    return report
