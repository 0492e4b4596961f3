"""What tests and benches ask of other processes can be answered at any moment, also at their ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

from tests.daemon_process import children_of

ENDS = 300
"""About one in ten is met while the kernel takes the process away."""


def test_a_process_that_ends_while_it_is_looked_at_has_no_children() -> None:
    """Whether it is there, has ended, or ends between two looks into /proc."""
    for _ in range(ENDS):
        process = subprocess.Popen(["true"])
        reaper = threading.Thread(target=process.wait)
        reaper.start()
        while reaper.is_alive():
            assert children_of(process.pid) == []


def test_children_of_every_thread_are_found() -> None:
    """A process's children are listed by the thread that started them."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in children_of(os.getpid())
    with subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        grandchild = int(parent.stdout.readline())
        assert children_of(parent.pid) == [grandchild]
        parent.kill()
        os.kill(grandchild, signal.SIGKILL)
