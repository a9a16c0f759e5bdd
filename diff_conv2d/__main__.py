"""`python -m diff_conv2d`: see `diff_conv2d.command`."""

import sys

from diff_conv2d.command import main

if __name__ == "__main__":
    sys.exit(main())
