"""Worker processes that do not outlive the program that started them."""

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """Ends this worker as soon as its parent is gone, also when that was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "called in a worker process"

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
