"""``python -m tests.crash``: see ``matrix.py``."""

from tests.crash.matrix import main

main()
