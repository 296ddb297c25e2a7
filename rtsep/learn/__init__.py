"""Recordings in, model files out; and the methods on matrices.  Runs before sound does, never
beside it.

learn_basis, learn_network : recordings to a model, a network for a Task.  NMF, NMF_separation,
audio_separation : the authors' names, data are columns.  MDNMF : the same as scikit-learn has it,
data are rows.
"""

from rtsep.learn.audio_separation import audio_separation
from rtsep.learn.basis import learn_basis
from rtsep.learn.estimator import MDNMF
from rtsep.learn.mdnmf import NMF
from rtsep.learn.networks import learn_network
from rtsep.learn.separation import NMF_separation
from rtsep.learn.task import Task

__all__ = [
    "MDNMF",
    "NMF",
    "NMF_separation",
    "Task",
    "audio_separation",
    "learn_basis",
    "learn_network",
]
