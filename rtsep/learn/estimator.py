"""MDNMF with scikit-learn's conventions: X (samples, features), rows are data.

`rtsep.learn.mdnmf.NMF` holds data as columns; X is transposed at this edge and nowhere else.
    X = U.T        components_ = W.T, (n_components, m)        transform(X) = H.T
"""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from rtsep.learn.matrices import Array, matrix
from rtsep.learn.mdnmf import NMF


@dataclass(eq=False)
class MDNMF:
    """Non-negative components of X that explain the rows of `adversarial` badly.

    tau : how much that counts, 0 for plain NMF.  alpha_W, alpha_H : weights of |W|_1 and |H|_1.
    max_iter : passes over the data; transform_max_iter : such of `transform`.  batch_size,
    adversarial_batch_size : rows of a mini-batch, None for all.  init : "exem" (rows of X) or
    "rand".  Not while sound runs: seconds.
    """

    n_components: int = 32
    tau: float = 0.1
    alpha_W: float = 0.0  # noqa: N815
    alpha_H: float = 0.0  # noqa: N815
    max_iter: int = 100
    transform_max_iter: int = 100
    batch_size: int | None = None
    adversarial_batch_size: int | None = None
    init: str = "exem"
    normalize: bool = False
    random_state: int | None = 0

    def fit(self, X: ArrayLike, y: object = None, *, adversarial: ArrayLike | None = None) -> Self:
        """Learn components_; y is not looked at."""
        nmf, U = self._nmf(), matrix(np.transpose(X), "X")
        if adversarial is None:
            nmf.fit_std(U, conv=True)
        else:
            nmf.fit_adv(U, matrix(np.transpose(adversarial), "adversarial"), conv=True)
        self.components_: Array = np.ascontiguousarray(nmf.W.T)
        self.n_features_in_, self.n_iter_ = len(U), self.max_iter
        self.objective_: list[float] = nmf.history
        self._activations: Array = np.ascontiguousarray(nmf.H.T)
        return self

    def fit_transform(
        self, X: ArrayLike, y: object = None, *, adversarial: ArrayLike | None = None
    ) -> Array:
        """Activations (samples, n_components) that the fit ended with."""
        return self.fit(X, y, adversarial=adversarial)._activations

    def transform(self, X: ArrayLike) -> Array:
        """Activations (samples, n_components) of X under components_."""
        nmf = self._nmf()
        nmf.W = self._learned().T
        return np.ascontiguousarray(nmf.transform(matrix(np.transpose(X), "X")).T)

    def inverse_transform(self, X: ArrayLike) -> Array:
        """Rows that activations (samples, n_components) stand for."""
        return np.asarray(X, np.float32) @ self._learned()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Settings by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def set_params(self, **settings: Any) -> Self:
        """Change settings by name."""
        unknown = settings.keys() - self.get_params().keys()
        if unknown:
            raise ValueError(f"unknown settings {sorted(unknown)} (known: {[*self.get_params()]})")
        for name, value in settings.items():
            setattr(self, name, value)
        return self

    def _learned(self) -> Array:
        if not hasattr(self, "components_"):
            raise ValueError("components_ is not there yet (wanted: call fit first)")
        return self.components_

    def _nmf(self) -> NMF:
        return NMF(
            self.n_components, tau_A=self.tau, mu_W=self.alpha_W / 2, mu_H=self.alpha_H / 2,
            epochs=self.max_iter, test_epochs=self.transform_max_iter, batch_size=self.batch_size,
            batch_size_adv=self.adversarial_batch_size, init=self.init, normalize=self.normalize,
            random_state=self.random_state,
        )  # fmt: skip
