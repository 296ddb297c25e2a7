"""Small model files made up for tests, whole ones and such as no one should trust."""

import io
import zipfile
from contextlib import suppress

import numpy as np
import pytest

from rtsep.artefacts import library
from rtsep.artefacts.basis import Basis
from rtsep.artefacts.card import Card, CardError, NetworkCard, to_json
from rtsep.dsp.stream import MODES, stream_spec


def card(kind="nmf", rate=8000, rank=3, **values):
    specs = {mode: stream_spec(rate, mode) for mode in MODES}
    windows = {mode: [s.window, s.hop, s.synthesis] for mode, s in specs.items()}
    given = {"divergence": "kl", "power": 1, "bandwidth": rate / 2, **values}
    return Card("fan", kind, "fan", "remove", rate, rank=rank, windows=windows, **given)


def network_card(**values):
    given = {
        "name": "net", "sources": [{"name": "speech", "role": "keep"}], "bandwidth": 20000,
        "feature": "magnitude", "bands": 513, "states": [[1, 8]], "initialiser_bytes": 1 << 20,
        "memory_bytes": 64 << 20, **values,
    }  # fmt: skip
    return NetworkCard(**given)


def basis(kind="nmf", **values):
    made = card(kind, **values)
    rng = np.random.default_rng(0)
    W = {mode: rng.uniform(0.01, 1, (made.bins(mode), made.rank)) for mode in made.windows}
    unit = (lambda w: np.linalg.qr(w)[0]) if kind == "asvd" else (lambda w: w / w.sum(axis=0))
    return Basis(made, {mode: unit(w).astype(np.float32) for mode, w in W.items()})


def written(basis):
    file = io.BytesIO()
    arrays = {f"W_{mode}": W for mode, W in basis.W.items()}
    np.savez_compressed(file, card=np.frombuffer(to_json(basis.card).encode(), np.uint8), **arrays)
    return file.getvalue()


def pack(path, **arrays):
    """An npz of our own making; bytes stand for themselves."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            if isinstance(array, bytes):
                content.write(array)
            else:
                np.save(content, array, allow_pickle=True)
            archive.writestr(f"{name}.npy", content.getvalue())
    return path


def parts(basis):
    shown = {"card": np.frombuffer(to_json(basis.card).encode(), np.uint8)}
    return shown | {f"W_{mode}": W for mode, W in basis.W.items()}


def opens(load, given):
    """What `load` makes of it, or None where it raises the one-line CardError it may raise."""
    with suppress(CardError):
        return load(given)
    with pytest.raises(CardError) as caught:
        load(given)
    assert str(caught.value).isprintable()
    return None


def refusal(path):
    """The message of the CardError that loading must raise: one line, begun with the path."""
    with pytest.raises(CardError) as caught:
        library.load(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.isprintable()
    return message
