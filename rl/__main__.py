"""`python -m rl VERB`."""

import sys

from rl.cli import main

if __name__ == "__main__":
    sys.exit(main())
