"""Functions on arrays and Tensors: arrays in, arrays out; with a Tensor among them, Tensors out."""
