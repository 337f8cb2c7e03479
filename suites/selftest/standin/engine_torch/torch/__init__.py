"""A torch without tensors: the counters of its CUDA allocator, as a program moves them.

`torch._C` has what the test's program drives and can ask; the rest goes its ways as the real one's
does. STANDIN_TORCH says what is different: `cpu` (built without CUDA), `old` (a torch before 2.5),
or the name of a function of `torch._C` that fails.
"""

from . import _C, accelerator, cuda, version

__all__ = ["_C", "accelerator", "cuda", "version"]
__version__ = "2.99.0+standin"
