"""``python -m qgnn_lightning.cli`` is ``qgnn``."""

import sys

from qgnn_lightning.cli._main import main

sys.exit(main())
