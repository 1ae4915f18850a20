"""`python -m tracejury.cli`."""

import sys

from tracejury.cli.commands import main

sys.exit(main())
