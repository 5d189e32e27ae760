"""`python -m suresam.cli`."""

import sys

from suresam.cli import main

sys.exit(main())
