#!/usr/bin/python3
"""Writes an OCI archive to standard output.

usage: images.py layout FOLDER                     all images of an unpacked bundle
       images.py kubeadm LIST PROGRAM=PATH...      one image around each program, by the name that it has in LIST, a
                                                   file with the output of `kubeadm config images list`
"""

import io
import json
import os
import pathlib
import sys
import tarfile

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(TOP / "scripts" / "payloads.d"), str(TOP / "images")]

import ociimage
from cache import Cache
from definitions import Definitions
from steps import BaseStep, Context

NAME = "io.containerd.image.name"


def archive(out, manifests, blobs):
    """An OCI archive of MANIFESTS (descriptors) with BLOBS {hex: path}."""
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}
    texts = [("oci-layout", {"imageLayoutVersion": "1.0.0"}), ("index.json", index)]
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.USTAR_FORMAT) as tar:
        for name, value in texts:
            data = json.dumps(value).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for digest, path in sorted(blobs.items()):
            member = tarfile.TarInfo(f"blobs/sha256/{digest}")
            member.size = path.stat().st_size
            with open(path, "rb") as stream:
                tar.addfile(member, stream)


def of_layout(folder, out):
    """The images that the index of FOLDER names."""
    index = json.loads((folder / "index.json").read_bytes())
    found = [m for m in index["manifests"] if NAME in m.get("annotations", {})]
    blobs = {}
    for descriptor in found:
        digests = [descriptor["digest"]]
        manifest = json.loads((folder / "blobs" / digests[0].replace(":", "/")).read_bytes())
        digests += [part["digest"] for part in [manifest["config"], *manifest["layers"]]]
        blobs |= {d.split(":")[1]: folder / "blobs" / d.replace(":", "/") for d in digests}
    archive(out, found, blobs)


def program_image(context, name, program, path):
    """The image NAME of PROGRAM, which lies at PATH: (descriptor, {hex: path})."""
    layers = [ociimage.layer_put(context.cache, ociimage.tar_of_files([("usr/local/bin/" + program, path, 0o755)]))]
    if program == "kube-proxy":  # it calls nft and conntrack
        layers.insert(0, context.cache.result(BaseStep(context, None, "netfilter").key({}))["layer"])
    image = ociimage.image_put(context.cache, context.arch, layers, {})
    manifest = image["manifest"]
    descriptor = {"mediaType": ociimage.MANIFEST_TYPE, "digest": "sha256:" + manifest["sha256"],
                  "size": manifest["size"], "annotations": {NAME: name}}
    return descriptor, {digest: context.cache.blob(digest) for digest in image["blobs"]}


def of_kubeadm(names, programs, out):
    """Those of NAMES whose program is among PROGRAMS {name: path}."""
    cache = os.environ.get("CAISSON_CACHE") or (
        pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "caisson")
    context = Context(TOP, Definitions(TOP), Cache(cache))
    manifests, blobs = [], {}
    for name in names:
        program = name.rsplit("/", 1)[1].split(":")[0]
        if program in programs:
            descriptor, parts = program_image(context, name, program, pathlib.Path(programs[program]))
            manifests.append(descriptor)
            blobs |= parts
    archive(out, manifests, blobs)


def main():
    """Do what the command line asks."""
    if sys.argv[1] == "layout":
        of_layout(pathlib.Path(sys.argv[2]), sys.stdout.buffer)
    else:
        names = pathlib.Path(sys.argv[2]).read_text(encoding="ascii").split()
        of_kubeadm(names, dict(pair.split("=", 1) for pair in sys.argv[3:]), sys.stdout.buffer)


if __name__ == "__main__":
    main()
