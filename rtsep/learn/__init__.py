"""Recordings in, model files out.  Runs before sound does, never beside it."""

from rtsep.learn.basis import learn_basis
from rtsep.learn.networks import Task, learn_network

__all__ = ["Task", "learn_basis", "learn_network"]
