"""
caisson-node is killed at every system call that changes the disk. Whatever the moment: `current` is one of the
generations, whole, and the same work done again succeeds with the same end state.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from wirecli import Gone, Node, canonical, manifest, sha256

NODE = os.path.abspath(sys.argv[1])
os.environ["ASAN_OPTIONS"] = "detect_leaks=0"  # LeakSanitizer stops under ptrace; serve_test looks for leaks
CALLS = ["openat", "write", "fsync", "rename", "renameat", "symlinkat", "mkdirat", "unlinkat", "fchmod", "fchown"]
UNIT = "[Unit]\nDescription=%s\n[Service]\nExecStart=/bin/true\n"
OLD = manifest([("a.service", UNIT % "a", "1"), ("gone.service", UNIT % "g", "1")], [("conf/a", "old\n")])
NEW = manifest([("a.service", UNIT % "a2", "2"), ("new.service", UNIT % "n", "1")], [("conf/a", "new\n"), ("b", "b\n")])


def traced(root, script, log):
    """serve under strace with the given options; the node's own process is what gets killed."""
    return Node(["strace", "-f", "-qq", "-o", log, "-e", "trace=" + ",".join(CALLS)] + script +
                [NODE, "serve", "--root", root])


FLOORS = [{"p/m": {"product": "p", "profile": "m", "channel": "stable", "version": "v1", "epoch": 0, "sequence": n,
                   "digest": "sha256:x", "root": 1, "issued": "2026-01-01T00:00:00Z", "rollbackTo": []}} for n in (1, 2)]
BLOB = b"blob" * 1000
FAIL = manifest([("a.service", UNIT % "a" + "[X-Simulate]\nFail=yes\n", "3"), ("bad.service", UNIT % "b", "1")],
                [("conf/a", "bad\n")])


def put(node, wanted):
    return node.ok("generation.put", manifest=wanted[0], inline=wanted[1])


def activate(node, wanted):
    g = put(node, wanted)  # an equal generation is found, not made again
    return node.call("generation.activate", generation=g["generation"], digest=g["digest"],
                     epoch={"number": 1, "run": "r"})


def activate_well(node):
    reply = activate(node, NEW)
    assert reply.get("ok"), reply


def activate_badly(node):
    reply = activate(node, FAIL)
    assert reply["error"]["rolledBack"], reply


# strace counts calls per thread, and every request has a thread of its own: so each step is killed apart.
STEPS = {
    "secret": lambda node: node.ok("secret.put", id=sha256(b"s"), body=b"secret"),
    "blob": lambda node: node.ok("blob.put", digest=sha256(BLOB), size=len(BLOB), body=BLOB),
    "runtime": lambda node: node.ok("runtime.put", name="targets", text="127.0.0.1:1\n"),
    "floor": lambda node: node.ok("floor.put", floors=FLOORS[1]),
    "put": lambda node: put(node, NEW),
    "put-bad": lambda node: put(node, FAIL),
    "activate-bad": activate_badly,
    "activate": activate_well,
}


def read(*path):
    with open(os.path.join(*path), "rb") as f:
        return f.read()


def listing(*path):
    path = os.path.join(*path)
    return os.listdir(path) if os.path.isdir(path) else []


@unittest.skipUnless(shutil.which("strace"), "strace is not installed")
class Crash(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="caisson-crash-")
        self.before = os.path.join(self.top, "before")
        os.mkdir(self.before)
        self.steps(self.before, lambda node: node.ok("runtime.put", name="targets", text="127.0.0.1:0\n"),
                   lambda node: node.ok("floor.put", floors=FLOORS[0]), lambda node: activate(node, OLD))

    def steps(self, root, *steps):
        node = Node([NODE, "serve", "--root", root])
        for step in steps:
            step(node)
        self.assertEqual(node.close(), 0)

    def tearDown(self):
        shutil.rmtree(self.top)

    def whole(self, root):
        """The generation that is current is one of the two, with every file."""
        base = os.path.join(root, "var/lib/caisson")
        raw = read(base, "current/manifest.json")
        found = [g for g in (OLD, NEW, FAIL) if raw == canonical(g[0])]
        self.assertEqual(len(found), 1)
        m, texts = found[0]
        for f in m["files"]:
            self.assertEqual(read(base, "current/files", f["name"]).decode(), texts[f["digest"]])
        for u in m["units"]:
            self.assertEqual(read(base, "current/units", u["name"]).decode(), texts[u["digest"]])
        for name in listing(base, "store/sha256"):
            if not name.startswith("."):
                self.assertEqual(sha256(read(base, "store/sha256", name)), name)
        self.assertIn(read(base, "runtime/targets"), [b"127.0.0.1:0\n", b"127.0.0.1:1\n"])

        self.assertIn(read(base, "floors"), [canonical(f) for f in FLOORS])

    def end_state(self, root):
        base = os.path.join(root, "var/lib/caisson")
        self.assertEqual(read(base, "current/manifest.json"), canonical(NEW[0]))
        self.assertEqual(read(base, "floors"), canonical(FLOORS[1]))
        self.assertEqual(sorted(os.listdir(os.path.join(root, "run/systemd/system"))),
                         ["a.service", "caisson.target", "new.service"])
        running = [n for n in os.listdir(os.path.join(root, "run/simulated/state")) if not n.endswith(".new")]
        self.assertEqual(sorted(running), ["a.service", "new.service"])
        self.assertEqual(sorted(os.listdir(os.path.join(root, "run/caisson/started"))), ["a.service", "new.service"])
        leftovers = [n for f in ("store/sha256", "secrets", "generations") for n in listing(base, f)
                     if n.startswith(".")]
        self.assertEqual(leftovers, [])

    def one(self, start, step, call, when):
        root = os.path.join(self.top, "work")
        shutil.copytree(start, root, symlinks=True)
        node = traced(root, ["-e", f"inject={call}:signal=KILL:when={when}"], os.path.join(self.top, "log"))
        try:
            STEPS[step](node)
            killed = False
        except Gone:
            killed = True
        node.process.stdin.close()
        node.process.stdout.close()
        node.process.wait(20)
        if killed:
            self.whole(root)
            if when % 2:  # every other time the machine starts again before the work is done again
                subprocess.run([NODE, "boot", "--root", root], check=True)
            self.steps(root, *(run for name, run in STEPS.items() if "bad" not in name))
            self.end_state(root)
        shutil.rmtree(root)
        return killed

    def test_every_call(self):
        total = 0
        start = os.path.join(self.top, "start")
        for step in STEPS:
            shutil.copytree(self.before, start, symlinks=True)
            for earlier in list(STEPS)[:list(STEPS).index(step)]:
                self.steps(start, STEPS[earlier])
            for call in CALLS:
                when = 1
                while self.one(start, step, call, when):
                    when += 1
                total += when - 1
            shutil.rmtree(start)
        self.assertGreater(total, 150)
        print(f"{total} kills survived", file=sys.stderr)

    def test_everything_is_synced_before_the_flip(self):
        """Each file written for the new generation got its fsync before `current` was renamed."""
        log = os.path.join(self.top, "log")
        node = Node(["strace", "-f", "-y", "-qq", "-o", log, "-e", "trace=openat,fsync,renameat", NODE, "serve",
                     "--root", self.before])
        activate_well(node)
        self.assertEqual(node.close(), 0)
        created, synced, flipped = set(), set(), False
        base = os.path.join(self.before, "var/lib/caisson/")
        for line in read(log).decode().split("\n"):
            opened = re.search(r"openat\(.*O_CREAT.*\) = \d+<([^>]+)>", line)
            sync = re.search(r"fsync\(\d+<([^>]+)>\)", line)
            if opened and opened[1].startswith(base) and not opened[1].endswith("/lock"):
                created.add(opened[1])
            elif sync:
                synced.add(sync[1])
            elif '"current.new"' in line and "renameat" in line:
                flipped = True
                break
        self.assertTrue(flipped)
        self.assertGreater(len(created), 5)
        self.assertEqual(created - synced, set())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
