"""Lets the tests here, and the processes they start, import `drawn`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
