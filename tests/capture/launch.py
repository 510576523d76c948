"""The launcher without the recorder: ``launch.py script.py args…`` or ``launch.py -m module args…``."""

import sys

from wellposed.capture.script import ProgramNotFoundError, end_process, run_module, run_script

if __name__ == "__main__":
    words = sys.argv[1:]
    try:
        outcome = run_module(words[1], words[2:]) if words[0] == "-m" else run_script(words[0], words[1:])
    except ProgramNotFoundError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    sys.exit(end_process(outcome))
