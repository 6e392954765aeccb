"""`fastdl.functional` under PyTorch's name for it."""

from fastdl.functional import *  # noqa: F403
