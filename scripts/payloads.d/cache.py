"""The payload cache: bytes by digest, and which recipe made which bytes.

    blobs/sha256/<hex>        every file, and every manifest, config and layer of an image
    built/<key>.json          results of one build step; the key is a digest of all its inputs
    lock/<profile>.lock.json  what `caisson bundle build` packs
    gomod/ gocache/ work/     working space; only gomod/ outlives a complete run

Files appear by rename after fsync, so whatever has a final name is whole.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import tempfile

CHUNK = 1 << 20


def canonical(value):
    """Canonical JSON: sorted keys, no white space, a newline at the end."""
    return (json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n").encode()


class Cache:
    """A cache folder; made when it is not there."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.blobs = self.folder / "blobs" / "sha256"
        self.built = self.folder / "built"
        self.locks = self.folder / "lock"
        self.gomod = self.folder / "gomod"
        self.gocache = self.folder / "gocache"
        self.scratch = self.folder / "work"
        self.work = None  # this run's own folder in scratch, while it holds the cache
        for path in (self.blobs, self.built, self.locks, self.gomod, self.gocache, self.scratch):
            path.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def exclusive(self, waiting):
        """Hold the cache for building; calls WAITING() once if another run holds it.

        `work` is a new folder in it: a command that outlived a killed run cannot write into ours.
        """
        with open(self.folder / "flock", "a", encoding="ascii") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(stream, fcntl.LOCK_EX)
            folder_clear(self.scratch)  # left by a run that was killed
            self.work = pathlib.Path(tempfile.mkdtemp(dir=self.scratch, prefix="run-"))
            try:
                yield
            finally:
                shutil.rmtree(self.work, ignore_errors=True)
                self.work = None

    def write(self, path, data):
        """Replace PATH by DATA atomically, unless it has these bytes already."""
        if path.exists() and path.read_bytes() == data:
            return
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise

    def blob_put(self, data):
        """Store DATA; returns (hex digest, size)."""
        digest = hashlib.sha256(data).hexdigest()
        self.write(self.blobs / digest, data)
        return digest, len(data)

    def blob_move(self, path):
        """Move the file PATH (in work/) into the store; returns (hex digest, size)."""
        digest = hashlib.sha256()
        with open(path, "rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
            size = stream.tell()
            os.fsync(stream.fileno())
        os.chmod(path, 0o644)
        os.replace(path, self.blobs / digest.hexdigest())
        return digest.hexdigest(), size

    def blob(self, digest):
        """Path of a stored blob."""
        return self.blobs / digest

    def result(self, key):
        """Results of the step with KEY, or None if it has to run."""
        try:
            result = json.loads((self.built / f"{key}.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        for digest, size in result["blobs"].items():
            try:
                if self.blob(digest).stat().st_size != size:
                    return None
            except FileNotFoundError:
                return None
        return result

    def result_put(self, key, result):
        """Keep RESULT under KEY."""
        self.write(self.built / f"{key}.json", canonical(result))

    def lock_path(self, profile):
        """Where the lock of PROFILE lies."""
        return self.locks / f"{profile}.lock.json"


def folder_clear(folder):
    """Remove everything in FOLDER."""
    for path in list(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)  # something may still be ending in there
        else:
            path.unlink()
