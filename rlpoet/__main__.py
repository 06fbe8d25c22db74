"""``python -m rlpoet`` is ``rlpoet``."""

import sys

from rlpoet.cli import main

sys.exit(main())
