"""Run a command and record its time and memory: `python -I -S launch.py RESULT LIMIT COMMAND…`.

It is a separate small program because Linux counts the memory of the process that starts a command, until the `exec`, as the
command's; the benchmark is far larger than some of the commands that it measures.

Memory is the larger of the kernel's maximum of any one process (`ru_maxrss`) and the sampled memory of the whole tree: PSS,
which counts shared memory once.
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
    """Return a process and all its descendants."""
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
    """Return the PSS of a process in KiB, 0 if it is unknown."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


class Sampler(threading.Thread):
    """Samples the memory of a process tree until `ended` is set."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak, self.ended = pid, 0, threading.Event()

    def run(self) -> None:
        while not self.ended.wait(PAUSE):
            self.peak = max(self.peak, sum(memory(pid) for pid in descendants(self.pid)))


def run(command: list[str], limit: float) -> dict[str, float]:
    """Run a command in its own process group, which is killed after `limit` seconds."""
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
