"""How good a separation is.  Signals are (n,) float; a silent reference gives NaN, never 0."""

from rtsep.metrics.evaluation import Evaluation, evaluate
from rtsep.metrics.filtered import filtered_bss_eval
from rtsep.metrics.image import psnr, ssim
from rtsep.metrics.separation import BssEval, bss_eval, si_sdr
from rtsep.metrics.speech import DnsMos, dnsmos, estoi, pesq

__all__ = [
    "BssEval",
    "DnsMos",
    "Evaluation",
    "bss_eval",
    "dnsmos",
    "estoi",
    "evaluate",
    "filtered_bss_eval",
    "pesq",
    "psnr",
    "si_sdr",
    "ssim",
]
