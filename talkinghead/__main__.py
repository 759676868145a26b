"""`python -m talkinghead` is the command line."""

import sys

from talkinghead.cli import main

sys.exit(main())
