"""Lets the tests of this folder import `harness`, which their worker processes import as well."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
