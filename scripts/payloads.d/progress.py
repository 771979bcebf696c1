"""One line per build step: what it is, then how long it took."""

import subprocess
import sys
import time


class StepFailed(Exception):
    """A command of a build step failed; the text holds the end of its output."""


def size_text(size):
    """SIZE in bytes for people."""
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


class Progress:
    """Prints to stderr; on a terminal the running step shows its seconds."""

    def __init__(self, total):
        self.total = total
        self.number = 0
        self.title = ""
        self.started = 0.0
        self.live = sys.stderr.isatty()

    def begin(self, title):
        """A step starts."""
        self.number += 1
        self.title = f"[{self.number}/{self.total}] {title} ..."
        self.started = time.monotonic()
        print(self.title, end="", file=sys.stderr, flush=True)

    def tick(self):
        """Time passes while a command runs."""
        if self.live:
            print(f"\r{self.title} {time.monotonic() - self.started:.0f} s", end="", file=sys.stderr, flush=True)

    def end(self, how=None):
        """The step is over; HOW replaces the time. Returns the seconds."""
        seconds = time.monotonic() - self.started
        head = "\r" + self.title if self.live else ""
        print(f"{head} {how or f'{seconds:.0f} s'}", file=sys.stderr, flush=True)
        return round(seconds, 1)

    def run(self, command, log, cwd=None, env=None):
        """Run COMMAND with all output in the file LOG; StepFailed if it fails."""
        with open(log, "ab") as stream:
            # setpriv: the command ends with this process, also when this one is killed
            child = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "nice", *command], cwd=cwd, env=env,
                                     stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
            try:
                while True:
                    try:
                        code = child.wait(timeout=1)
                        break
                    except subprocess.TimeoutExpired:
                        self.tick()
            except BaseException:
                child.terminate()
                child.wait()
                raise
        if code != 0:
            with open(log, encoding="utf-8", errors="replace") as stream:
                tail = "".join(stream.readlines()[-12:])
            raise StepFailed(f"{command[0]} failed with status {code}:\n{tail}")
