"""`fastdl.functional` under PyTorch's name for it."""

from fastdl.functional import *  # noqa: F403
from fastdl.functional import __all__ as __all__
