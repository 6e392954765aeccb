"""Times the ops beside PyTorch, on the tests' own cases: ``python -m bench [OP ...]``."""
