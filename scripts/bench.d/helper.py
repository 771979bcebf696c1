#!/usr/bin/python3
"""Milliseconds from the start of caisson-node to its first answer: the median of many.

usage: helper.py FOLDER-OF-WIRECLI PROGRAM
"""

import statistics
import sys
import tempfile
import time

TIMES = 51


def main():
    """Measure and print."""
    sys.path.insert(0, sys.argv[1])
    from wirecli import Node  # the client of the helper's own tests
    took = []
    with tempfile.TemporaryDirectory() as root:
        for _ in range(TIMES):
            begin = time.monotonic()
            node = Node([sys.argv[2], "serve", "--root", root])
            node.ok("hello")
            took.append(time.monotonic() - begin)
            node.close()
    print(round(statistics.median(took) * 1000, 2))


if __name__ == "__main__":
    main()
