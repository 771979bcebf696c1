#!/usr/bin/env python3
"""Writes a profile of any size: images whose layers are random bytes, their definition, lock and cache."""
import argparse
import hashlib
import json
import os
import pathlib
import tarfile

LAYER = 160 << 20  # bytes of a layer's one file
HOST = "bench.example"


class Cache:
    """blobs/sha256/<digest>: written once, kept from one run to the next."""

    def __init__(self, folder):
        self.folder = folder / "blobs/sha256"
        self.folder.mkdir(parents=True, exist_ok=True)

    def add(self, data):
        digest = hashlib.sha256(data).hexdigest()
        (self.folder / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    def add_layer(self, seed, size):
        """A tar of one file of `size` bytes that nothing can compress."""
        scratch = self.folder.parent / "layer.new"
        with tarfile.open(scratch, "w", format=tarfile.USTAR_FORMAT) as tar:
            info = tarfile.TarInfo(f"data-{seed}")
            info.size = size
            with open("/dev/urandom", "rb") as noise:
                tar.addfile(info, noise)
        with open(scratch, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else sha256(file)
        size = scratch.stat().st_size
        os.replace(scratch, self.folder / digest)
        return {"digest": f"sha256:{digest}", "size": size}


def sha256(file):
    state = hashlib.sha256()
    while block := file.read(1 << 20):
        state.update(block)
    return state.hexdigest()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def image_entry(cache, name, layer):
    config = cache.add(canonical({"architecture": "amd64", "os": "linux"}))
    config["mediaType"] = "application/vnd.oci.image.config.v1+json"
    manifest = cache.add(canonical({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                                    "config": config,
                                    "layers": [layer | {"mediaType": "application/vnd.oci.image.layer.v1.tar"}]}))
    return {"component": "payload", "id": f"payload/1.0.0/image/{name}", "kind": "oci", "license": "MIT", "name": name,
            "platform": "linux/amd64", "purl": "pkg:generic/payload@1.0.0", "sha256": manifest["digest"][7:],
            "size": manifest["size"], "upstream": {"ref": "noise", "type": "none"}, "urls": [], "version": "1.0.0"}


def image_name(number):
    return f"{HOST}/noise-{number:03}:1"


def write_definitions(folder, count):
    for name in ("profiles", "bundles/payload", "cache/lock"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "profiles/noise.yaml").write_text(
        "apiVersion: caisson.dev/v1\nkind: Profile\nmetadata: {name: noise}\nspec:\n  version: 1.0.0\n"
        "  components: [payload]\n")
    images = "".join(f'  - {{name: "{image_name(i)}", roles: [all]}}\n' for i in range(count))
    (folder / "bundles/payload.yaml").write_text(
        "apiVersion: caisson.dev/v1\nkind: Component\n"
        'metadata: {name: payload, license: MIT, supplier: example, purl: "pkg:generic/payload"}\n'
        f"versions: [{{version: 1.0.0}}]\nmanifests:\n  - {{file: payload/pod.yaml}}\nimages:\n{images}")
    containers = "".join(f'    - {{name: c-{i}, image: "{image_name(i)}"}}\n' for i in range(count))
    (folder / "bundles/payload/pod.yaml").write_text(
        f"apiVersion: v1\nkind: Pod\nmetadata: {{name: noise, namespace: default}}\nspec:\n  containers:\n{containers}")


def write_lock(folder, entries):
    lock = {"entries": sorted(entries, key=lambda e: e["id"]), "platform": "linux/amd64", "profile": "noise", "schema": 1}
    (folder / "cache/lock/noise.lock.json").write_bytes(canonical(lock) + b"\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--bytes", type=int, required=True, help="of all layers together, about")
    parser.add_argument("--change", action="store_true", help="give the first image of an existing profile another layer")
    args = parser.parse_args()
    count = max(1, round(args.bytes / LAYER))
    cache = Cache(args.folder / "cache")
    write_definitions(args.folder, count)
    kept = []
    if args.change:
        kept = json.loads((args.folder / "cache/lock/noise.lock.json").read_bytes())["entries"][1:]
    numbers = range(1) if args.change else range(count)
    write_lock(args.folder, kept + [image_entry(cache, image_name(i), cache.add_layer(i, LAYER)) for i in numbers])


main()
