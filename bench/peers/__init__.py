"""Other people's softmax, and the races between it and ours. A peer is never a dependency."""
