"""`python -m rl.run NAME` is `rl run NAME`."""

import sys

from rl.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", *sys.argv[1:]]))
