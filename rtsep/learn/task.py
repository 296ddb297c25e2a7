"""What a mask network is to be trained by, and what cannot be."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtsep.learn.corpus import Source
from rtsep.learn.starts import STARTS

METHODS = ("nes", "supervised", "distil", "am", "lmm", "gass")
NEEDED = {"supervised": ("clean",), "gass": ("mixtures", "clean")}  # beside observed


@dataclass(frozen=True)
class Task:
    """What to train.  Sources are what `recordings` takes.

    nes : from a share c of the mixture, or from the estimates of the method `init`.  distil : from
    these estimates alone; am, lmm and gass are distil with that init.  init : one of
    `starts.STARTS` or a network's file.  start : settings of that method, fields of `starts.Heard`.

    observed : the source that is known alone.  clean : the other one alone; what `supervised` and
    gass learn from, and the rest only judge by.  mixtures : of both, what all but `supervised`
    learn the other from.
    kind : of gass's generative models, one of `gass.KINDS`; vae unless told.
    opinion : supervised alone; how much a point of DNSMOS counts in the loss.
    renew : nes alone; every iteration begins with new weights instead of the last one's.
    folder : for tapes and checkpoints; the same task goes on there after a stop, another is
    refused.
    """

    method: str
    observed: Source | Sequence[Source]
    folder: Path
    clean: Source | Sequence[Source] | None = None
    mixtures: Source | Sequence[Source] | None = None
    size: str = "small"
    iterations: int = 10
    plan: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    init: str | None = None
    c: float = 0.5
    start: dict[str, Any] = field(default_factory=dict)
    kind: str | None = None
    opinion: float = 0.0
    renew: bool = False

    @property
    def teacher(self) -> str | None:
        """The method whose estimates come first; None for a share of the mixture."""
        given = None if self.init == "const" else self.init
        return given if self.method in ("nes", "distil", "supervised") else self.method

    @property
    def named(self) -> str:
        """The method, and whose estimates it learns from where these are another's."""
        teacher = Path(self.teacher).stem if self.teacher else ""
        return f"{self.method} from {teacher}" if teacher not in ("", self.method) else self.method

    @property
    def settings(self) -> dict[str, Any]:
        """Of the method whose estimates come first."""
        return self.start | ({"kind": self.kind} if self.kind else {})

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method {self.method!r} is unknown (one of {', '.join(METHODS)})")
        method = "gass" if self.teacher == "gass" else self.method
        for needed in NEEDED.get(method, ("mixtures",)):
            if getattr(self, needed) is None:
                raise ValueError(f"{method} learns from {needed} too, and none are given")
        self._refuse_init()
        if self.kind is not None and self.teacher != "gass":
            raise ValueError(f"kind {self.kind!r} is for gass, not {self.named}")
        if self.opinion and self.method != "supervised":
            raise ValueError(f"opinion {self.opinion:g} is for supervised, not {self.method}")
        if not 0 <= self.opinion <= 1:
            raise ValueError(f"opinion {self.opinion:g} is outside 0..1")
        if not 0 < self.c < 1:
            raise ValueError(f"c={self.c:g} (wanted: between 0 and 1)")
        if self.c != 0.5 and (self.method != "nes" or self.teacher):
            raise ValueError(f"c={self.c:g} is for nes from const, not {self.named}")
        if self.iterations < 1:
            raise ValueError(f"iterations={self.iterations} (wanted: 1 at least)")
        if self.renew and self.method != "nes":
            raise ValueError(f"renew is for nes, not {self.method}")

    def _refuse_init(self) -> None:
        if self.init is not None and self.method not in ("nes", "distil"):
            raise ValueError(f"init {self.init!r} is for nes and distil, not {self.method}")
        if self.method == "distil" and self.teacher is None:
            raise ValueError(f"distil needs init, the method to learn from ({', '.join(STARTS)})")
        known = (None, "const", *STARTS)
        if self.init not in known and not str(self.init).endswith(".onnx"):
            raise ValueError(
                f"init {self.init!r} is unknown (const, {', '.join(STARTS)} or a network, .onnx)"
            )
