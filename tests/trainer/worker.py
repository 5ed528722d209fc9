"""One process of a group: trains every job of the list in argv[1] on the mixture in memory."""

import json
import sys
from pathlib import Path

from harness import MemoryTokens, small

from trainer.parallel import processes
from trainer.train import train

with processes("cpu") as device:
    for job in json.loads(sys.argv[1]):
        train(small(**job["changes"]), MemoryTokens(), Path(job["output"]), device)
