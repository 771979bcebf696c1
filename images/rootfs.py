"""Root file trees and single files from Debian packages, unpacked but never installed.

No maintainer script runs, so a definition in this folder says what those would have done: links,
users, the certificate bundle. The result is one normalised tar, the lowest layer of an image.
"""

import fnmatch
import gzip
import io
import os
import shutil
import subprocess
import tarfile

import ociimage


def extract(progress, log, tar, suite, packages, arch):
    """Unpack PACKAGES with their dependencies into the file TAR."""
    progress.run(["mmdebstrap", "--variant=extract", f"--architectures={arch}",
                  "--include=" + ",".join(packages), suite, str(tar)], log)


def member_path(member):
    """Path of a tar MEMBER without the leading ./ and the trailing slash."""
    return member.name.removeprefix("./").strip("/")


def package_version(tar, package):
    """Version of PACKAGE as its changelog in TAR has it, or "unknown"."""
    for name in ("changelog.Debian.gz", "changelog.gz"):
        try:
            stream = tar.extractfile(f"./usr/share/doc/{package}/{name}")
        except KeyError:
            continue
        if stream:
            first = gzip.decompress(stream.read()).decode("utf-8", "replace").splitlines()[0]
            return first[first.find("(") + 1:first.find(")")]
    return "unknown"


def member_take(path, member, package, out):
    """Copy MEMBER of the tar at PATH to the file OUT; returns the version of PACKAGE."""
    with tarfile.open(path) as tar:
        with tar.extractfile("./" + member) as stream, open(out, "wb") as target:
            shutil.copyfileobj(stream, target)
        return package_version(tar, package)


class Tree:
    """A file tree in memory: {path: (member, bytes or None)}."""

    def __init__(self):
        self.entries = {}

    def load(self, path, exclude):
        """Take the tar at PATH without device files and what EXCLUDE names (shell patterns)."""
        with tarfile.open(path) as tar:
            for member in tar:
                name = member_path(member)
                if not name or not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
                    continue
                if any(fnmatch.fnmatchcase(name, pattern) for pattern in exclude):
                    continue
                data = tar.extractfile(member).read() if member.isreg() else None
                if member.islnk():
                    member.linkname = member.linkname.removeprefix("./")
                member.mode &= 0o777  # no set-id files, no sticky folders beyond the definition
                self.put(name, member, data)

    def put(self, name, member, data=None):
        """Set the entry NAME, with its folders."""
        for folder in ociimage.parents(name):
            if not self.exists(folder):
                self.directory(folder, 0o755)
        member.name = name
        self.entries[name] = (ociimage.member_clean(member), data)

    def exists(self, name):
        """Whether the tree has NAME."""
        return name in self.entries

    def directory(self, name, mode):
        """Set the folder NAME."""
        member = tarfile.TarInfo(name)
        member.type, member.mode = tarfile.DIRTYPE, mode
        self.put(name, member)

    def link(self, name, target):
        """Set the symbolic link NAME to TARGET."""
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, target, 0o777
        self.put(name, member)

    def file(self, name, data, mode=0o644):
        """Set the regular file NAME."""
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(data), mode
        self.put(name, member, data)

    def matching(self, pattern):
        """Bytes of the regular files whose path matches PATTERN, one after another."""
        return b"".join(self.entries[name][1] for name in sorted(self.entries)
                        if self.entries[name][1] is not None and fnmatch.fnmatchcase(name, pattern))

    def tar(self):
        """The uncompressed tar; hard links come after all files, so their targets exist."""
        out = io.BytesIO()
        order = sorted(self.entries, key=lambda name: (self.entries[name][0].islnk(), name))
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name in order:
                member, data = self.entries[name]
                tar.addfile(member, None if data is None else io.BytesIO(data))
        return out.getvalue()


def busybox_links(tree, path, work):
    """Links for busybox's applets whose names no package has taken in any folder of PATH."""
    program = work / "busybox-list"
    program.write_bytes(tree.entries[path][1])
    os.chmod(program, 0o700)
    names = subprocess.run([str(program), "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    program.unlink()
    for name in names:
        if not any(tree.exists(f"{folder}/{name}") for folder in ("bin", "sbin", "usr/bin", "usr/sbin")):
            tree.link(f"bin/{name}", "/" + path)


def layer_make(progress, log, cache, definition, arch):
    """Build the tree of DEFINITION and store it as a layer."""
    path = cache.work / "base.tar"
    extract(progress, log, path, definition["suite"], definition["packages"], arch)
    tree = Tree()
    tree.load(path, definition.get("exclude", []))
    path.unlink()
    for name, mode in definition.get("directories", {}).items():
        tree.directory(name, int(mode, 8))
    for name, pattern in definition.get("concat", {}).items():
        tree.file(name, tree.matching(pattern))
    for name, text in definition.get("files", {}).items():
        tree.file(name, text.encode())
    for name, target in definition.get("links", {}).items():
        tree.link(name, target)
    if "busybox" in definition:
        busybox_links(tree, definition["busybox"], cache.work)
    return ociimage.layer_put(cache, tree.tar())
