"""Run the extension that was built against the installed package."""

from __future__ import annotations

import importlib
import math

consumer = importlib.import_module("consumer")
logits = [0.25 * i - 3.0 for i in range(37)]
weights = [math.exp(x - max(logits)) for x in logits]
for got, weight in zip(consumer.softmax(logits), weights, strict=True):
    assert math.isclose(got, weight / sum(weights), rel_tol=5e-7)
assert consumer.softmax([]) == []
assert "online/exact/scalar" in consumer.kernel_ids()

message = "nothing was refused"
try:
    consumer.softmax(logits, "exakt")
except ValueError as error:
    message = str(error)
assert "unknown variant 'exakt'" in message, message
print(f"consumer of fastsoftmax {consumer.version()}: softmax, kernels and an error as expected")
