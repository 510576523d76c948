"""What all tests stand on."""

from __future__ import annotations

import signal

# A test run that was started in the background of a script inherits "ignore" for Ctrl-C, and so would the programs that
# the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
