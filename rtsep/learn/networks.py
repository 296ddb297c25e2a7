"""Recordings in, a trained mask network out."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtsep.learn.cache import digest, stamps
from rtsep.learn.corpus import Recording, recordings
from rtsep.learn.mixing import Recipe, defaults
from rtsep.learn.mixtures import parted
from rtsep.learn.provenance import printable, provenance
from rtsep.learn.task import NEEDED, Task

if TYPE_CHECKING:
    from rtsep.artefacts.network import Network
    from rtsep.learn.estimates import Mask
    from rtsep.learn.families import MaskNetwork
    from rtsep.learn.tapes import Tape
    from rtsep.learn.training import Plan

Report = Callable[[str], None]
Row = dict[str, float]

LOSSES: dict[str, dict[str, float]] = {  # fields of a plan; l1: of magnitudes, as published
    "compressed": {},
    "l1": {"exponent": 1.0, "magnitude": 1.0, "power": 1, "rate": 1e-3, "last_rate": 1e-3},
}
HELD_OUT = 0.1  # share of the recordings that a network is judged by
JUDGED = 2  # batches


def learn_network(
    task: Task, *, name: str, source: str = "speech", role: str = "keep", command: str = "",
    skip: Report = print, told: Callable[[Row], None] = lambda row: None,
) -> "Network":  # fmt: skip
    """Train a mask network of the source that is not observed.

    source : what it is.  Unless that is "speech" or the recipe tells so, it is mixed with observed
    recordings alone.
    ValueError names what cannot be learned from; `descent.DivergedError` a loss that is no number.
    ImportError where torch or onnx is missing.
    """
    refuse_missing()
    from rtsep.learn.export import exported, measured
    from rtsep.learn.families import SIZES, seeded

    task = replace(task, recipe=defaults(source) | task.recipe)
    card: dict[str, Any] = {
        "name": name, "sources": [{"name": source, "role": role}],
        "command": printable(command, 2000), "seed": int(task.plan.get("seed", 0)),
        "created": time.strftime("%Y-%m-%d"),
    }  # fmt: skip
    named = {"method": task.named}
    exported(seeded(SIZES[task.size], 0), **card, quality=named)  # refuse now, not after training
    parts = _Parts(task, skip)
    last: Row = {}

    def tell(row: Row) -> None:
        last.update(row)
        told(row)

    network = _supervised(task, parts, tell) if task.method == "supervised" else _nes(
        task, parts, tell
    )  # fmt: skip
    quality = named | _quality(last)
    return measured(
        network, **card, bandwidth=parts.bandwidth(), trained_on=provenance(parts.used),
        quality=quality,
    )  # fmt: skip


def refuse_missing() -> None:
    """ImportError that tells the command where torch or onnx is not installed."""
    for library in ("torch", "onnx"):
        if find_spec(library) is None:
            raise ImportError(
                f"{library} is not installed (training needs: pip install 'rtsep[learn]')"
            )


class _Parts:
    """Tapes to learn from and to judge by."""

    def __init__(self, task: Task, skip: Report) -> None:
        self.task, self.skip = task, skip
        self.used: list[Recording] = []
        self.heard: dict[str, str] = {}
        self.observed, self.noise = self._parted(task.observed, "observed")
        self.clean, self.speech = self._parted(task.clean, "clean")
        self.mixtures = self._whole(task.mixtures, "mixtures")

    def _parted(self, given: Any, what: str) -> tuple["Tape | None", "Tape | None"]:
        if given is None:
            return None, None
        found = self._found(given, what)
        learned, judged = parted(found, (1 - HELD_OUT, HELD_OUT))
        tape = self._tape(learned, what)
        if what != "clean" or "clean" in NEEDED.get(self.task.teacher or self.task.method, ()):
            self.used += [learned[place] for place in tape.places]
        return tape, self._tape(judged or learned, f"{what}-held-out")

    def _whole(self, given: Any, what: str) -> "Tape | None":
        if given is None:
            return None
        found = self._found(given, what)
        tape = self._tape(found, what)
        self.used += [found[place] for place in tape.places]
        return tape

    def _found(self, given: Any, what: str) -> list[Recording]:
        found = recordings(given, self.skip)
        seconds = sum(each.seconds for each in found)
        files = stamps(each.name for each in found if Path(each.name).is_file())
        arrays = [[each.content] for each in found if each.content]
        content = digest([[Path(name).name, *rest] for name, *rest in files] + arrays)[:8]
        self.heard[what] = f"{len(found)} recordings of {seconds:.1f} s ({content})"
        return found

    def bandwidth(self) -> float:
        """Hz, up to which the source that is not observed was heard."""
        heard = self.clean if self.task.method == "supervised" else self.mixtures
        assert heard is not None
        return float(heard.bandwidths.max())

    def made_of(self) -> dict[str, str]:
        """What another training in the same folder is known by."""
        task = self.task
        init = task.teacher or ("const" if task.c == 0.5 else f"const {task.c:g}")
        told = {"method": task.method, "init": stamps([init])[0] if Path(init).is_file() else init,
                "start": task.settings, "recipe": task.recipe,
                "renew": task.renew, "opinion": task.opinion}  # fmt: skip
        judged = "clean" in NEEDED.get(task.teacher or task.method, ())
        heard = {k: v for k, v in self.heard.items() if k != "clean" or judged}
        return {name: str(value) for name, value in (told | heard).items()}

    def _tape(self, corpus: Sequence[Recording], what: str) -> "Tape":
        from rtsep.learn.scenes import RATE
        from rtsep.learn.tapes import tape

        return tape(corpus, RATE, self.task.folder, what, self.skip)

    def start(self) -> "Tape | None":
        """Estimates of the mixtures by the method to begin with."""
        if self.task.teacher is None:
            return None
        from rtsep.learn.estimates import estimates
        from rtsep.learn.starts import BY, Heard, by_network

        method = self.task.teacher
        assert self.mixtures is not None
        assert self.observed is not None
        settings = {"snr": Recipe(**self.task.recipe).snr} | self.task.settings
        heard = Heard(self.observed, self.mixtures, self.clean, **settings)
        files = [*(each.name for each in self.used), method]
        made_of = stamps(name for name in files if Path(name).is_file())
        contents = [each.content for each in self.used]
        key = digest([*made_of, contents, repr(settings), method])

        def mask() -> "Mask":
            return BY[method](heard) if method in BY else by_network(Path(method))

        return estimates(self.mixtures, mask, self.task.folder, f"estimates-{key}")

    def judge(self, plan: "Plan", recipe: Recipe) -> "Callable[[MaskNetwork], Row] | None":
        """Loss and SDR on recordings that are not learned from, where the truth is known."""
        from rtsep.learn.scenes import Scenes
        from rtsep.learn.training import held_out

        if self.speech is None or self.noise is None:
            return None
        plain = replace(
            recipe, made=0, babble=0, swelling=0, rooms=0, alone=0, other_speed=recipe.speed,
            snr=(0, 10), fresh=recipe.rows,
        )  # fmt: skip
        scenes = Scenes([(self.speech, 1.0)], [(self.noise, 1.0)], plain, 1)
        batches = [scenes.batch() for _ in range(JUDGED)]
        return lambda network: held_out(network, batches, plan)


def _supervised(task: Task, parts: _Parts, told: Callable[[Row], None]) -> "MaskNetwork":
    from rtsep.learn.families import SIZES
    from rtsep.learn.opinion import critics
    from rtsep.learn.scenes import Scenes
    from rtsep.learn.training import Plan, train

    plan, recipe = Plan(**task.plan), _paced(task)
    assert parts.clean is not None
    assert parts.observed is not None
    tapes = [(parts.clean, 1.0)], [(parts.observed, 1.0)]

    def make(seed: Any) -> Scenes:
        return Scenes(*tapes, recipe, seed)

    checkpoint = task.folder / "supervised.pt"
    judge = parts.judge(plan, recipe)
    also = critics(*tapes, recipe, task.opinion) if task.opinion else None
    return train(
        plan, SIZES[task.size], make, checkpoint, judge=judge, told=told, also=also,
        made_of=parts.made_of(),
    ).network  # fmt: skip


def _nes(task: Task, parts: _Parts, told: Callable[[Row], None]) -> "MaskNetwork":
    from rtsep.learn.families import SIZES
    from rtsep.learn.nes import egg_separation
    from rtsep.learn.training import Plan

    plan, recipe = Plan(**task.plan), _paced(task)
    assert parts.mixtures is not None
    assert parts.observed is not None
    return egg_separation(
        [(parts.observed, 1.0)], parts.mixtures, recipe, plan, SIZES[task.size], task.folder,
        iterations=task.iterations if task.method == "nes" else 1, c=task.c, start=parts.start(),
        renew=task.renew, judge=parts.judge(plan, recipe), told=told, made_of=parts.made_of(),
    )  # fmt: skip


def _paced(task: Task) -> Recipe:
    """The recipe of scenes as long, at the pace of the network."""
    from rtsep.learn.families import SIZES

    recipe, pace = Recipe(**task.recipe), SIZES[task.size].pace
    return replace(recipe, pace=pace, frames=recipe.frames // pace)


def _quality(row: Row) -> dict[str, float]:
    wanted = {"loss": "training loss", "held-out loss": "held-out loss",
              "held-out SDR": "held-out SDR, dB, at 0 to 10 dB"}  # fmt: skip
    found = {told: row[name] for name, told in wanted.items() if name in row}
    return {told: round(value, 5) for told, value in found.items() if isfinite(value)}
