"""``python -m perfmodel`` is the command ``perfmodel``."""

import sys

from .cli import main

sys.exit(main())
