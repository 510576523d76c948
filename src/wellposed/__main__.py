"""``python -m wellposed`` is the command ``wellposed``."""

import sys

from wellposed.cli import main

if __name__ == "__main__":
    sys.exit(main())
