#!/usr/bin/python3
"""Runs a command and looks, while it runs, at what it and its helpers on the lab's machines use.

usage: watch.py RESULT LAB-DIR -- COMMAND...
RESULT gets JSON: seconds, cpu (of the command), memory and helper_memory (peak, bytes), sent ({address: bytes}).
"""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

PAUSE = 0.2
HELPER = "caisson-node"


def field_of(text, name):
    """The number behind NAME: in a /proc status file, in bytes."""
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.M)
    return int(found[1]) * 1024 if found else 0


def helper_memory(lab, seen):
    """Take the peak of each helper that serves on a machine of LAB into SEEN."""
    for folder in pathlib.Path("/proc").iterdir():
        try:
            if not folder.name.isdigit() or (folder / "comm").read_text().strip() != HELPER:
                continue
            if not re.search(f"caisson-lab[/-]{lab}[/-]", (folder / "cgroup").read_text()):
                continue
            if b"serve" in (folder / "cmdline").read_bytes().split(b"\0"):
                seen[folder.name] = field_of((folder / "status").read_text(), "VmHWM")
        except OSError:
            continue  # it has ended


def sent_bytes(pid, seen):
    """Take what PID's SSH connections have sent, by address, into SEEN."""
    listing = subprocess.run(["ss", "-tinpH", "state", "established", "dport", "=", ":22"],
                             stdout=subprocess.PIPE, text=True, check=False).stdout
    for peer, owner, rest in re.findall(r"^\S.* (\S+):22\s+(users:\S*)?\s*\n\s+(.*)$", listing, re.M):
        acked = re.search(r"bytes_acked:(\d+)", rest)
        if acked and f"pid={pid}," in owner:
            seen[peer] = int(acked[1])


def main():
    """Run and watch."""
    result, lab_dir, command = sys.argv[1], sys.argv[2], sys.argv[4:]
    lab = hashlib.sha256(lab_dir.encode()).hexdigest()[:6]
    helpers, sent = {}, {}
    begin = time.monotonic()
    process = subprocess.Popen(command)
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        helper_memory(lab, helpers)
        sent_bytes(process.pid, sent)
        time.sleep(PAUSE)
    seconds = time.monotonic() - begin
    pathlib.Path(result).write_text(json.dumps({
        "seconds": round(seconds, 3), "cpu": round(usage.ru_utime + usage.ru_stime, 2),
        "memory": usage.ru_maxrss * 1024, "helper_memory": max(helpers.values(), default=0), "sent": sent}))
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
