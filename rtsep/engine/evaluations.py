"""The networks at work in an engine: one a slot at most."""

from collections.abc import Sequence

from rtsep.artefacts.basis import Basis
from rtsep.artefacts.network import Network
from rtsep.dsp.stream import StreamSpec
from rtsep.separators.evaluation import Evaluation, evaluate
from rtsep.separators.sources import divided


class Evaluations:
    """What runs the networks of both slots, None in a slot without one.  Control thread."""

    def __init__(self) -> None:
        self._of_slot: list[Evaluation | None] = [None, None]

    def __getitem__(self, index: int) -> Evaluation | None:
        return self._of_slot[index]

    def exchange(self) -> None:
        """Let the slots change places."""
        self._of_slot.reverse()

    def retire(self, index: int) -> Evaluation | None:
        """Take the slot's network from it."""
        evaluation, self._of_slot[index] = self._of_slot[index], None
        if evaluation:
            evaluation.stop()
        return evaluation

    def renew(
        self,
        index: int,
        models: Sequence[Basis | Network],
        spec: StreamSpec,
        *,
        lanes: int,
        max_block: int,
        worker: bool,
    ) -> Evaluation | None:
        """What is to run the network among the models; the one before, as new, if it is its own."""
        _, network = divided(models)
        before = self.retire(index)
        if network and before and before.network is network:
            before.reset()
            self._of_slot[index] = before
        elif network:
            self._of_slot[index] = evaluate(network, spec, lanes, max_block, worker)
        return self._of_slot[index]

    def employ(self, real_time: bool) -> None:
        """Worker threads are there for a stream in real time alone."""
        for evaluation in filter(None, self._of_slot):
            if real_time:
                evaluation.start()
            else:
                evaluation.stop()
