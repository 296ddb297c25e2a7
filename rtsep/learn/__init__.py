"""Recordings in, model files out.  Runs before sound does, never beside it."""

from rtsep.learn.basis import learn_basis

__all__ = ["learn_basis"]
