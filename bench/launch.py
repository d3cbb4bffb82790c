"""Run one command and write down what it took: `python -I -S launch.py RESULT LIMIT COMMAND…`.

It is a small program of its own because Linux counts the memory of the process that starts a command, until the command
itself is in its place, as that command's; the benchmark is far larger than some of what it measures.

Memory is the largest of what the kernel says of any one process (`ru_maxrss`) and of the whole tree's, sampled: PSS, which
counts what processes share once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time

PAUSE = 0.05
TIMED_OUT = 124


def descendants(pid: int) -> list[int]:
    """Return a process and all that it started, and these in turn."""
    found = [pid]
    for parent in found:
        try:
            for thread in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{thread}/children", encoding="ascii") as file:
                    found += [int(child) for child in file.read().split()]
        except OSError:
            continue  # it has ended
    return found


def memory(pid: int) -> int:
    """Return the memory of one process in KiB: its PSS, or RSS where that is not known."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


class Sampler(threading.Thread):
    """Samples the memory of a tree of processes until it is told to stop."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak, self.ended = pid, 0, threading.Event()

    def run(self) -> None:
        while not self.ended.wait(PAUSE):
            self.peak = max(self.peak, sum(memory(pid) for pid in descendants(self.pid)))


def run(command: list[str], limit: float) -> dict[str, float]:
    """Run a command in a process group of its own; after `limit` seconds the group is killed."""
    started = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, dict(os.environ), setpgroup=0)
    timed_out = threading.Event()

    def kill() -> None:
        timed_out.set()
        os.killpg(pid, signal.SIGKILL)

    timer = threading.Timer(limit, kill)
    timer.daemon = True
    timer.start()
    sampler = Sampler(pid)
    sampler.start()
    try:
        _, status, usage = os.wait4(pid, 0)
    except KeyboardInterrupt:
        os.killpg(pid, signal.SIGKILL)
        raise
    wall = time.perf_counter() - started
    timer.cancel()
    sampler.ended.set()
    sampler.join()
    return {
        "status": TIMED_OUT if timed_out.is_set() else os.waitstatus_to_exitcode(status),
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory": max(sampler.peak, usage.ru_maxrss) * 1024,
    }


if __name__ == "__main__":
    result, seconds, *arguments = sys.argv[1:]
    measured = run(arguments, float(seconds))
    with open(result, "w", encoding="ascii") as output:
        json.dump(measured, output)
