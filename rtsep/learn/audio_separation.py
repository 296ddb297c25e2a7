"""Speech from noise nobody has heard, by the authors' audio protocol (Ludvigsen & Grasmair).

Transductive: the noise is learned from the very recordings to be separated, and for `semi_adv`
they also are what the basis of speech is not to explain.  Magnitudes, Wiener shares, the
mixture's phase.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rtsep.learn.matrices import one_of
from rtsep.learn.separation import NMF_separation
from rtsep.learn.tutorial import Transform

Samples = NDArray[np.floating]


class audio_separation:  # noqa: N801, the authors' name
    """One known source and one unknown in recordings (n,) float.  Not while sound runs: minutes.

    prob : "semi" or "semi_adv".  project : W_0 H_0 of the known basis fitted alone, instead of
    shares.  n_fft, hop_length, win_length : samples, a quarter of n_fft and n_fft where None.
    sep_args : what `NMF_separation` takes; ds is wanted.
    """

    def __init__(
        self,
        prob: str = "semi",
        project: bool = False,
        n_fft: int = 512,
        hop_length: int | None = None,
        win_length: int | None = None,
        **sep_args: Any,
    ) -> None:
        one_of("prob", prob, ("semi", "semi_adv"))
        self.project = project
        self.transform = Transform(n_fft, hop_length or n_fft // 4, win_length or n_fft, True)
        self.separation = NMF_separation(prob=prob, **sep_args)

    def fit(self, clean: Sequence[Samples], noisy: Sequence[Samples]) -> Self:
        """Learn the known source from `clean`, the other from `noisy`."""
        U, V = (np.hstack([self._magnitude(x) for x in each]) for each in (clean, noisy))
        self.separation.fit([U], V)
        return self

    def separate(self, noisy: Samples) -> NDArray[np.float32]:
        """The known source in one recording (n,)."""
        X = self.transform.spectra(noisy)
        V = np.abs(X)
        estimate = self._projected(V) if self.project else self.separation.separate(V)[:, 0]
        return self.transform.samples(X * (estimate / np.maximum(V, 1e-10)), len(noisy))

    def _projected(self, V: NDArray[np.float32]) -> NDArray[np.float32]:
        known = self.separation.NMFs[0]
        projected: NDArray[np.float32] = known.W @ known.transform(V)
        return projected

    def _magnitude(self, x: Samples) -> NDArray[np.float32]:
        return np.abs(self.transform.spectra(x))
