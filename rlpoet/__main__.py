"""``python -m rlpoet`` is ``rlpoet``."""

import sys

from rlpoet.cli.main import main

sys.exit(main())
