"""What cases share: timing, inputs, error measures, tables, and the choice of kernels."""
