"""rtsep: separate the sound you know from everything else, live.

    engine = rtsep.Engine("speech", rate=48000)
    cleaned = engine.process(block)                  # block by block, engine.latency samples late
    cleaned = rtsep.denoise(samples, rate)           # a whole recording at once
    stems = rtsep.separate(samples, rate, "speech")  # every source of it

Engine, denoise, separate : what separates.  load, save, models : model files, by path or name.
Basis, Network : a model, with its Card or NetworkCard; CardError where it cannot be used.
Parameter, Meters, Snapshot : what an engine is set to, what it tells, what it has learned.
`rtsep.learn.learn_basis` makes a model of recordings, `rtsep.metrics` says how good a result is.

Importing the package loads none of its parts; each is loaded where it is first used.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtsep.artefacts.basis import Basis
    from rtsep.artefacts.card import Card, CardError, NetworkCard
    from rtsep.artefacts.library import load, save
    from rtsep.artefacts.library import names as models
    from rtsep.artefacts.network import Network
    from rtsep.engine.batch import denoise, separate
    from rtsep.engine.engine import Engine
    from rtsep.engine.meters import Meters
    from rtsep.engine.parameters import Parameter
    from rtsep.engine.snapshots import Snapshot

    __version__: str

_HOMES = {
    "Basis": "artefacts.basis",
    "Card": "artefacts.card",
    "CardError": "artefacts.card",
    "Engine": "engine.engine",
    "Meters": "engine.meters",
    "Network": "artefacts.network",
    "NetworkCard": "artefacts.card",
    "Parameter": "engine.parameters",
    "Snapshot": "engine.snapshots",
    "denoise": "engine.batch",
    "load": "artefacts.library",
    "models": "artefacts.library:names",
    "save": "artefacts.library",
    "separate": "engine.batch",
}

__all__ = [
    "Basis",
    "Card",
    "CardError",
    "Engine",
    "Meters",
    "Network",
    "NetworkCard",
    "Parameter",
    "Snapshot",
    "__version__",
    "denoise",
    "load",
    "models",
    "save",
    "separate",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("rtsep")
    if name not in _HOMES:
        raise AttributeError(f"module 'rtsep' has no attribute {name!r}")
    home, _, own = _HOMES[name].partition(":")
    return getattr(import_module(f"rtsep.{home}"), own or name)


def __dir__() -> list[str]:
    return sorted(__all__)
