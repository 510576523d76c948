"""Little scripts, each of a behaviour in which a launcher could differ from python."""

from __future__ import annotations

SCRIPTS: dict[str, str | bytes] = {
    "arguments": "import sys; print(sys.argv)",
    "import-path": "import sys; print(sys.path)",
    "globals": """
        print(sorted((name, value) for name, value in globals().items() if name[:2] == "__" and name not in
                     ("__builtins__", "__loader__")))
        print(type(__builtins__), type(__loader__), __loader__.name, __loader__.path)
        import sys; print(sys.modules["__main__"].__dict__ is globals())
    """,
    "docstring": '"""What it does."""\nprint(__doc__)',
    "sibling-import": "import helper; print(helper.VALUE)",
    "main-guard": "if __name__ == '__main__': print('main')",
    "exit-number": "import sys; sys.exit(7)",
    "exit-none": "import sys; sys.exit()",
    "exit-text": "import sys; sys.exit('no data')",
    "exit-object": "import sys; sys.exit([1, 'two'])",
    "exit-true": "raise SystemExit(True)",
    "exit-negative": "import sys; sys.exit(-3)",
    "exit-beyond-a-byte": "import sys; sys.exit(1025)",
    "exit-beyond-an-integer": "import sys; sys.exit(2 ** 40 + 3)",
    "exit-hard": "import os; print('out', flush=True); os._exit(5)",
    "exit-in-function": "def leave():\n    exit(4)\nleave()",
    "exception": """
        def first(x):
            return second(x)
        def second(x):
            return 1 / x
        print("before")
        first(0)
    """,
    "exception-chain": """
        def convert(word):
            try:
                return int(word)
            except ValueError as error:
                raise RuntimeError(f"cannot convert {word}") from error
        try:
            convert("x")
        except RuntimeError:
            {}["missing"]
    """,
    "exception-without-text": "raise KeyError",
    "exception-in-text": "class Odd(Exception):\n    def __str__(self):\n        raise ValueError\nraise Odd",
    "exception-multiline": "raise RuntimeError('first\\nsecond')",
    "exception-group": """
        import sys
        if sys.version_info >= (3, 11):
            raise ExceptionGroup("several", [ValueError(1), TypeError(2)])
    """,
    "exception-in-library": "import json; json.loads('{')",
    "base-exception": "class Stop(BaseException): pass\nraise Stop('now')",
    "generator-exit": "raise GeneratorExit",
    "syntax-error": "x = 1\ndef (:\n    pass\n",
    "indentation-error": "if True:\nprint(1)\n",
    "syntax-error-in-import": "import broken",
    "not-utf8": b"print(1)\n# caf\xe9\n",
    "unknown-encoding": b"# coding: klingon\nprint(1)\n",
    "recursion": """
        def again(n):
            return again(n + 1)
        try:
            again(0)
        except RecursionError as error:
            print(type(error))
    """,
    "excepthook": """
        import sys, traceback
        def hook(kind, value, tb):
            print("hook", kind, value, [f.name for f in traceback.extract_tb(tb)], sys.exc_info())
        sys.excepthook = hook
        def fail():
            raise ValueError("bad")
        fail()
    """,
    "excepthook-fails": """
        import sys
        def hook(kind, value, tb):
            raise LookupError("in the hook")
        sys.excepthook = hook
        1 / 0
    """,
    "excepthook-exits": """
        import sys
        sys.excepthook = lambda kind, value, tb: sys.exit(9)
        1 / 0
    """,
    "last-traceback": """
        import atexit, sys
        atexit.register(lambda: print(sys.last_type, sys.last_value, sys.last_traceback.tb_frame.f_code.co_name))
        1 / 0
    """,
    "keyboard-interrupt": "def wait():\n    raise KeyboardInterrupt\nwait()",
    "keyboard-interrupt-and-atexit": "import atexit\natexit.register(print, 'bye')\nraise KeyboardInterrupt('stop')",
    "signal-to-itself": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "signal-handlers": "import signal; print(signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))",
    "signal-interrupt": "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('not reached')",
    "standard-input": "import sys; print(sys.stdin.read().upper()); print(sys.stdin.fileno())",
    "input-function": "print(input('name? '))",
    "no-final-newline": "import sys; sys.stdout.write('half a line')",
    "stdout-closed": "import sys; print('x'); sys.stdout.close()",
    "both-streams": "import sys\nfor i in range(3):\n    print(i)\n    print(i, file=sys.stderr)",
    "encoding-cookie": b"# -*- coding: latin-1 -*-\nprint(ascii('\xe9'))\n1 / 0  # caf\xe9\n",
    "byte-order-mark": b"\xef\xbb\xbfprint(ascii('\xc3\xa9'))\n",
    "windows-newlines": b"print(1)\r\nprint('''a\r\nb''')\r\n1 / 0\r\n",
    "no-newline-at-end": b"print(1)\nif True: print(2)",
    "future-flags": """
        def f(x: undefined_name = 1): pass
    """,
    "future-flags-own": """
        from __future__ import annotations
        def f(x: undefined_name = 1): pass
        print(f.__annotations__)
    """,
    "module-annotations": "x: int = 1\nprint(__annotations__)",
    "get-source": """
        import inspect
        def square(x):
            return x * x
        print(inspect.getsource(square), inspect.getsourcefile(square), inspect.getmodule(square))
    """,
    "pickle-main-class": """
        import pickle
        class Point:
            def __init__(self, x): self.x = x
        again = pickle.loads(pickle.dumps(Point(3)))
        print(type(again) is Point, again.x, Point.__module__, Point)
    """,
    "dataclass": """
        from __future__ import annotations
        from dataclasses import dataclass, fields
        from typing import get_type_hints
        @dataclass
        class Settings:
            rate: float = 0.1
        print(get_type_hints(Settings), Settings())
    """,
    "multiprocessing-fork": """
        import multiprocessing
        def square(x): return x * x
        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(2) as pool:
                print(pool.map(square, range(5)))
    """,
    "multiprocessing-spawn": """
        import multiprocessing
        class Point:
            def __init__(self, x): self.x = x
        def double(point): return Point(2 * point.x)
        print("imported as", __name__, flush=True)  # the pool ends its workers without asking
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print([point.x for point in pool.map(double, [Point(1), Point(2)])])
    """,
    "process-pool": """
        from concurrent.futures import ProcessPoolExecutor
        def cube(x): return x ** 3
        if __name__ == "__main__":
            with ProcessPoolExecutor(1) as pool:
                print(list(pool.map(cube, range(4))))
    """,
    "os-fork": """
        import os, sys
        child = os.fork()
        if child:
            print("child ended with", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        else:
            sys.exit(6)
    """,
    "thread-outlives-main": """
        import threading, time
        def work():
            time.sleep(0.2)
            print("thread done", threading.main_thread().is_alive())
        threading.Thread(target=work).start()
        print("main done", threading.current_thread() is threading.main_thread())
    """,
    "thread-outlives-exception": """
        import threading, time
        threading.Thread(target=lambda: (time.sleep(0.2), print("thread done"))).start()
        1 / 0
    """,
    "thread-fails": "import threading\nthreading.Thread(target=lambda: 1 / 0, name='worker').start()",
    "idle-thread-pool": """
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(1)
        print(pool.submit(pow, 2, 5).result())
    """,
    "daemon-thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "atexit": "import atexit\natexit.register(print, 'first')\natexit.register(print, 'second')\nprint('main')",
    "atexit-fails": "import atexit\ndef bye():\n    1 / 0\natexit.register(bye)",
    "atexit-after-exit": "import atexit, sys\natexit.register(print, 'bye')\nsys.exit(3)",
    "destructor-at-end": "class Noisy:\n    def __del__(self): print('gone')\nkeep = Noisy()",
    "unraisable": "class Noisy:\n    def __del__(self): raise ValueError('in del')\nNoisy()",
    "asyncio": """
        import asyncio
        async def main():
            await asyncio.sleep(0)
            raise ValueError("async")
        asyncio.run(main())
    """,
    "asyncio-interrupt": """
        import asyncio, os, signal
        async def main():
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(5)
        asyncio.run(main())
    """,
    "warning-once": "import warnings\nfor _ in range(3):\n    warnings.warn('careful')",
    "deprecation-in-main": "import warnings as w\nw.warn('old', DeprecationWarning)\nprint(list(__warningregistry__))",
    "invalid-escape": "pattern = '\\d'\nprint(pattern)",
    "change-folder": "import os; os.chdir('/'); print(__file__); 1 / 0",
    "flags": "import sys; print(sys.flags, sys.warnoptions, sys.executable)",
    "exec-in-main": "exec('1 / 0')",
    "import-main": "import __main__\nx = 5\nprint(__main__.x, __main__.__spec__)",
    "loader-source": "print(len(__loader__.get_source('__main__')))",
    "package-resources": "import runpy; print(runpy.run_path('helper.py')['VALUE'])",
    "traceback-module": """
        import traceback
        def fail():
            raise ValueError("caught")
        try:
            fail()
        except ValueError:
            traceback.print_exc()
    """,
}  # fmt: skip
