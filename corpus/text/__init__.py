"""numba kernels over Arrow text buffers."""
