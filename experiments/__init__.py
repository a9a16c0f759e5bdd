"""Programs of the experiments and their parts."""

import sys

from experiments.interrupts import quiet_while_loading

# `python -m` is looking for a module of this package, which will be a program.
if sys.argv[:1] == ["-m"]:
    quiet_while_loading()
