"""The public operations on arrays of floats."""
