"""HCCS: head-calibrated clipped-linear softmax, in integers. arXiv 2604.02292.

``s = B - S * min(max - x, Dmax)``, normalised by one of five modes; `Params` holds a head's
integers. Where byte permutes exist, a table of exp (`fastsoftmax.int8`) takes about as long as mode
"wide" and is closer to softmax; HCCS is for machines without them, and for models trained with it.
"""

from fastsoftmax._public import publish
from fastsoftmax.hccs._calibration import calibrate
from fastsoftmax.hccs._params import Params
from fastsoftmax.hccs._softmax import softmax, softmax_float
from fastsoftmax.hccs._stats import HeadStats

__all__ = ["HeadStats", "Params", "calibrate", "softmax", "softmax_float"]

publish(globals())
