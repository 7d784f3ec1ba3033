"""`python -m llmvs` is the same as `llmvs`."""

import sys

from llmvs.cli import main

sys.exit(main())
