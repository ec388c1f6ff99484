"""``python -m qgnn_lightning`` is ``qgnn``."""

import sys

from qgnn_lightning.cli import main

sys.exit(main())
