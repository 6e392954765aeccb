"""Races fastdl against PyTorch and against the machine's own limits: ``python -m bench [GROUP or OP ...]``."""
