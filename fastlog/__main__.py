"""``python -m fastlog``: the command."""

import sys

from fastlog.cli import main

sys.exit(main())
