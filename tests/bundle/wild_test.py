#!/usr/bin/env python3
"""Archives of libarchive's own tests, through our readers: refused, or read as libarchive's bsdtar reads them.

usage: wild_test.py WILD-CHECK SOURCE-FOLDER
Exit 77 when Debian's source package of libarchive cannot be had here, or bsdtar is not installed.
"""
import binascii
import collections
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

READERS = 4  # bundle, layer, package, package in a frame of ours
FEWEST = 300  # archives; fewer are a sign that the package looks otherwise now


def uudecoded(path):
    """The bytes that a .uu file stands for."""
    out, inside = bytearray(), False
    for line in path.read_bytes().splitlines():
        if line.startswith((b"begin ", b"end")):
            inside = line.startswith(b"begin ")
        elif inside and line:
            out += binascii.a2b_uu(line[: ((line[0] - 32 & 63) * 4 + 5) // 3])  # some encoders add to the last group
    return bytes(out)


def archives(package, folder):
    """Writes all archives of the source package into FOLDER."""
    for path in sorted(package.rglob("*.uu")):
        (folder / path.stem).write_bytes(uudecoded(path))
    for corpus in package.rglob("corpus.zip"):
        with zipfile.ZipFile(corpus) as seeds:
            for name in seeds.namelist():
                if not name.endswith("/"):
                    (folder / ("corpus-" + name.replace("/", "-"))).write_bytes(seeds.read(name))
    return sorted(folder.iterdir())


def bsdtar(*args):
    """What bsdtar says, however it ends: half of these archives are broken on purpose."""
    try:
        done = subprocess.run(["bsdtar", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              timeout=5, check=False, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"})
    except subprocess.TimeoutExpired:  # not with tar files
        return ""
    return done.stdout.decode("utf-8", "surrogateescape")


def is_tar(path):
    """Whether bsdtar takes it for a tar archive, of whatever dialect and compression."""
    found = re.search("^Archive Format: ([^,]*)", bsdtar("-tvvf", path), re.MULTILINE)
    return bool(found) and re.search(r"\btar\b|ustar|pax", found[1]) is not None


def listed(path):
    """Names and sizes of the files and links in an archive, as bsdtar reads it."""
    out = set()
    for line in bsdtar("-cf", "-", "--format=mtree", "--options=!all,type,size,link", f"@{path}").splitlines():
        name, *facts = line.split(" ")
        facts = dict(fact.split("=", 1) for fact in facts if "=" in fact)
        if facts.get("type") in ("file", "link"):
            name = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), name)
            out.add((name.removeprefix("./"), int(facts.get("size", 0)) if facts["type"] == "file" else 0))
    return out


def judged(check, files):
    """What our readers say: {(reader, path): (word, text, entries)}."""
    done = subprocess.run([check, *files], stdout=subprocess.PIPE, timeout=300, check=True)
    out, entries = {}, set()
    for line in done.stdout.decode("utf-8", "surrogateescape").splitlines():
        reader, path, word, *rest = line.split("\t")
        if word == "entry":
            entries.add((rest[1], int(rest[0])))
        else:
            out[reader, pathlib.Path(path)] = (word, rest[0], entries)
            entries = set()
    return out


def complaint(reader, path, word, text, entries):
    """What is wrong with one verdict, or None."""
    if word == "refused":
        return None if re.search(r"\bE_[A-Z]+:", text) else f"no word for: {text}"
    if word != "ok" or reader == "bundle":
        return f"{word} {text}"
    want = listed(path) if is_tar(path) else set()  # zeros in front of something else are an empty tar archive
    return None if entries == want else f"read {sorted(entries - want)}, bsdtar reads {sorted(want - entries)}"


def main(check, source):
    """Runs all of it; the exit code."""
    got = subprocess.run([f"{source}/ci/debian", "source", "libarchive"], stdout=subprocess.PIPE, text=True, check=False)
    if got.returncode or not shutil.which("bsdtar"):
        print("skip: the source package of libarchive cannot be had here, or bsdtar (libarchive-tools) is not installed")
        return 77
    with tempfile.TemporaryDirectory(prefix="caisson-wild.") as folder:
        files = archives(pathlib.Path(got.stdout.strip()), pathlib.Path(folder))
        verdicts = judged(check, files)
        bad = 0
        for (reader, path), verdict in verdicts.items():
            text = complaint(reader, path, *verdict)
            if text:
                bad += 1
                print(f"FAIL {path.name} as a {reader}: {text}")
        words = collections.Counter((reader, word) for (reader, _), (word, _, _) in verdicts.items())
        print(f"{len(files)} archives, {sum(map(is_tar, files))} of them tar files in some dialect and compression")
        for (reader, word), n in sorted(words.items()):
            print(f"{reader}: {n} {word}")
        return 1 if bad or len(files) < FEWEST or len(verdicts) != READERS * len(files) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
