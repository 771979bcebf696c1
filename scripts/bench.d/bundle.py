#!/usr/bin/env python3
"""Measures what caisson does with a large bundle against the limits of this machine, in one run:
  verify   against `openssl dgst -sha256` of the same file
  ingest   (verify and write into a store on the same file system) against the larger of that hash and of `cp` with
           `sync -f`
  build    against `cp` with `sync -f` of the same bytes
  delta    its size against the bytes that changed
  memory   of caisson at three sizes of bundle
  peers    skopeo, oras and crane, which copy its images into stores of theirs
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
GIB = 1 << 30


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Run:
    """A finished command: seconds from start to end, and its largest resident memory in bytes."""

    def __init__(self, command, log, env=None):
        start = time.monotonic()
        with open(log, "ab") as out:
            child = subprocess.Popen([str(c) for c in command], stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=env)
            _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        self.seconds = time.monotonic() - start
        self.memory = usage.ru_maxrss * 1024
        if child.returncode:
            sys.exit(f"bench: error: {' '.join(map(str, command))} ended with {child.returncode}; its words are in {log}")


class Bench:
    def __init__(self, folder, caisson):
        self.folder, self.caisson = folder, caisson
        self.log = folder / "log"
        self.env = os.environ | {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_DATA_HOME": str(folder / "data")}

    def run(self, *command):
        return Run(command, self.log, self.env)

    def read(self, *command):
        return subprocess.run([str(c) for c in command], env=self.env, check=True, capture_output=True, text=True).stdout

    def clear(self, name):
        path = self.folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        os.sync()
        return path

    def profile(self, name, size, change=False):
        say(f"make {size / GIB:.1f} GiB of images" if not change else "give one image another layer")
        subprocess.run([HERE / "bundle_profile.py", self.folder / name, "--bytes", str(size)] +
                       (["--change"] if change else []), check=True)

    def build(self, name, out, sequence=1):
        place = self.folder / name
        return self.run(self.caisson, "bundle", "build", "--profile", place / "profiles/noise.yaml", "--bundles",
                        place / "bundles", "--cache", place / "cache", "--lock", place / "cache/lock/noise.lock.json",
                        "--key", self.folder / "release.key", "--sequence", sequence, "--out", self.folder / out)

    def verify(self, bundle):
        return self.run(self.caisson, "bundle", "verify", bundle, "--trust", self.folder / "release.pub")

    def ingest(self, bundle):
        return self.run(self.caisson, "bundle", "ingest", bundle, "--trust", self.folder / "release.pub", "--store",
                        self.clear("store"))

    def copy(self, bundle):
        """`cp` and `sync -f`: what writing the same bytes costs without looking at them."""
        to = self.clear("copy")
        seconds = self.run("cp", "--reflink=never", bundle, to).seconds + self.run("sync", "-f", to).seconds
        self.clear("copy")
        return seconds


def measure_large(b, size, rounds):
    """The ratios, round by round, so that what loads the machine loads both sides."""
    b.profile("large", size)
    built = [b.build("large", "large.csn.tar") for _ in range(1)]
    bundle = b.folder / "large.csn.tar"
    result = {"size": bundle.stat().st_size, "hash": [], "verify": [], "copy": [], "ingest": [], "build": [],
              "verify_ratio": [], "ingest_ratio": [], "build_ratio": []}
    memory = {"build": built[0].memory, "verify": 0, "ingest": 0}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        hashed = b.run("openssl", "dgst", "-sha256", bundle).seconds
        verified = b.verify(bundle)
        copied = b.copy(bundle)
        ingested = b.ingest(bundle)
        b.clear("store")
        again = b.build("large", "again.csn.tar")
        b.clear("again.csn.tar")
        for key, value in (("hash", hashed), ("verify", verified.seconds), ("copy", copied), ("ingest", ingested.seconds),
                           ("build", again.seconds), ("verify_ratio", hashed / verified.seconds),
                           ("ingest_ratio", ingested.seconds / max(hashed, copied)),
                           ("build_ratio", again.seconds / max(hashed, copied))):
            result[key].append(value)
        for key, value in (("verify", verified), ("ingest", ingested), ("build", again)):
            memory[key] = max(memory[key], value.memory)
    return result, memory


def measure_memory(b, size):
    name = f"size-{size}"
    b.profile(name, size)
    memory = {"build": b.build(name, "other.csn.tar").memory, "verify": b.verify(b.folder / "other.csn.tar").memory,
              "ingest": b.ingest(b.folder / "other.csn.tar").memory}
    for left in ("store", "other.csn.tar", name):
        b.clear(left)
    return memory


def measure_delta(b, size):
    """One image's layer changed: the delta against the layer's bytes."""
    before = {m["digest"] for m in members(b, b.folder / "large.csn.tar")}
    b.profile("large", size, change=True)
    b.build("large", "newer.csn.tar", sequence=2)
    changed = sum(m["size"] for m in members(b, b.folder / "newer.csn.tar") if m["digest"] not in before)
    run = b.run(b.caisson, "bundle", "delta", b.folder / "newer.csn.tar", "--base", b.folder / "large.csn.tar", "--trust",
                b.folder / "release.pub", "--out", b.clear("delta.csn.tar"))
    size = (b.folder / "delta.csn.tar").stat().st_size
    b.clear("newer.csn.tar")
    b.clear("delta.csn.tar")
    return {"changed": changed, "size": size, "seconds": run.seconds}


def members(b, bundle):
    release = b.read("tar", "-xOf", bundle, "caisson/release.json")
    return json.loads(release)["predicate"]["members"]


def image_names(b, bundle):
    release = json.loads(b.read("tar", "-xOf", bundle, "caisson/release.json"))
    return [i["name"] for c in release["predicate"]["components"] for i in c.get("images", [])]


def peer_tool(name):
    """A tool out of a Go module, as ci/gotools makes them, or None where it cannot be had."""
    made = subprocess.run([TOP / "ci/gotools", name], capture_output=True, text=True)
    return pathlib.Path(made.stdout.strip()) / name if made.returncode == 0 else None


def peer_unpacked(b):
    """What tools that read no bundle as it is need first; its seconds belong to theirs."""
    to = b.clear("unpacked")
    to.mkdir()
    return to, b.run("tar", "-xf", b.folder / "large.csn.tar", "-C", to).seconds


def peer_skopeo(b, tool, names):
    unpacked, seconds = peer_unpacked(b)
    to = b.clear("peer")
    for name in names:
        seconds += b.run(tool, "--insecure-policy", "copy", "-q", "--preserve-digests", f"oci:{unpacked}:{name}",
                         f"oci:{to}:{name}").seconds
    return seconds + b.run("sync", "-f", to).seconds


def peer_oras(b, tool, names):
    to = b.clear("peer")
    seconds = sum(b.run(tool, "cp", "--no-tty", "--from-oci-layout-path", b.folder / "large.csn.tar",
                        "--to-oci-layout-path", to, name, name).seconds for name in names)
    return seconds + b.run("sync", "-f", to).seconds


def peer_crane(b, tool, _names):
    unpacked, seconds = peer_unpacked(b)
    to = b.clear("peer")
    to.mkdir()
    with open(b.folder / "registry.log", "w+") as log:
        registry = subprocess.Popen([tool, "registry", "serve", "--address", "localhost:0", "--disk", to], stderr=log)
        try:
            while not (port := re.search(r"serving on port (\d+)", (b.folder / "registry.log").read_text())):
                if registry.poll() is not None:
                    sys.exit(f"bench: error: crane's registry ended; its words are in {log.name}")
                time.sleep(0.05)
            seconds += b.run(tool, "push", "--index", unpacked, f"localhost:{port[1]}/all:1").seconds
        finally:
            registry.terminate()
            registry.wait()
    return seconds + b.run("sync", "-f", to).seconds


PEERS = (("skopeo", lambda: shutil.which("skopeo"), "tar -x, skopeo copy of all images, sync -f", peer_skopeo),
         ("oras", lambda: peer_tool("oras"), "oras cp of all images, sync -f", peer_oras),
         ("crane", lambda: peer_tool("crane"), "tar -x, crane push into its registry, sync -f", peer_crane))


def measure_peers(b):
    """All images of the same file into a store of theirs, every digest checked, by the tools that people have."""
    names, found = image_names(b, b.folder / "large.csn.tar"), {}
    for name, find, what, measure in PEERS:
        tool = find()
        if not tool:
            say(f"{name} cannot be had here")
            continue
        say(name)
        found[what] = measure(b, tool, names)
        b.clear("peer")
        b.clear("unpacked")
    return found


def line(what, value, unit="s", goal=None, better=None):
    verdict = ""
    if goal is not None:
        met = value >= goal if better == "more" else value <= goal
        verdict = f"   goal {'at least' if better == 'more' else 'at most'} {goal}: {'met' if met else 'MISSED'}"
    print(f"  {what:<62}{value:8.2f} {unit:<4}{verdict}")


def report(result, memory, delta, peers, load):
    mid = {k: statistics.median(v) for k, v in result.items() if isinstance(v, list)}
    gib = result["size"] / GIB
    print(f"\nbench bundle: {gib:.2f} GiB, {len(result['hash'])} rounds, medians, {os.cpu_count()} processors, load {load} before\n")
    for key, what in (("hash", "openssl dgst -sha256"), ("verify", "caisson bundle verify"), ("copy", "cp and sync -f"),
                      ("ingest", "caisson bundle ingest (verify and store)"), ("build", "caisson bundle build")):
        line(what, mid[key])
    for what, seconds in peers.items():
        line(what, seconds)
    print()
    line("speed of verify / of openssl", mid["verify_ratio"], "", 0.9, "more")
    line("ingest / the larger of hash and copy", mid["ingest_ratio"], "", 1.15, "less")
    line("build / the larger of hash and copy", mid["build_ratio"], "")
    line("delta: its bytes / bytes of changed blobs", delta["size"] / delta["changed"], "", 1.02, "less")
    for size, by_verb in memory.items():
        for verb, value in by_verb.items():
            line(f"peak memory of {verb}, {size / GIB:.1f} GiB", value / (1 << 20), "MiB", 24, "less")


def find_caisson(folder):
    path = folder / "caisson" if folder else TOP / "build/release/bin/caisson"
    if not path.is_file():
        sys.exit(f"bench: error: {path} is not there; build it (README.md) or name its folder with --bin")
    return path.resolve()


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench bundle", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=3.2, help="size of the bundle (3.2)")
    parser.add_argument("--rounds", type=int, default=3, help="how often (3); the figures are medians")
    parser.add_argument("--sizes", type=float, nargs="*", default=[0.3, 6], help="GiB, for memory alone (0.3 6)")
    parser.add_argument("--bin", type=pathlib.Path, help="folder with the caisson to measure (build/release/bin)")
    parser.add_argument("--dir", type=pathlib.Path, help="an empty folder to work in (one in $TMPDIR, removed at the end)")
    return parser.parse_args()


def main():
    args = arguments()
    caisson = find_caisson(args.bin)
    if args.dir:
        args.dir.mkdir(parents=True, exist_ok=True)
    folder = args.dir.resolve() if args.dir else pathlib.Path(tempfile.mkdtemp(prefix="caisson-bench-"))
    try:
        b = Bench(folder, caisson)
        load = os.getloadavg()[0]
        b.run(caisson, "key", "generate", folder / "release")
        size = int(args.gib * GIB)
        result, memory = measure_large(b, size, args.rounds)
        peers = measure_peers(b)
        delta = measure_delta(b, size)
        by_size = {size: memory} | {int(g * GIB): measure_memory(b, int(g * GIB)) for g in args.sizes}
        report(result, by_size, delta, peers, f"{load:.1f}")
    finally:
        if not args.dir:
            shutil.rmtree(folder)


main()
