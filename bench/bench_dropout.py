"""dropout: a hidden layer and attention. Random masks differ, so that only shapes are compared."""

from bench.op import Op
from bench.work import elementwise
from tests.cases import dropout as cases

BENCH = Op("dropout", "other", cases.BENCH, elementwise, random=True)
