"""Writer of OCI images without a container engine: layers, config and manifest as blobs by digest.

Equal inputs give equal bytes: members are sorted, times are 0, owners are root, and compression is
gzip level 1 without a name or time. Level 1 because these bytes are read once, from a local disk.
"""

import gzip
import hashlib
import io
import json
import tarfile

LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
EPOCH = "1970-01-01T00:00:00Z"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def member_clean(member):
    """MEMBER of a tar archive without what differs between two equal builds."""
    member.mtime = 0
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.pax_headers = {}
    return member


def parents(path):
    """The folders above PATH, outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[:n + 1]) for n in range(len(parts))]


def tar_of_files(files):
    """An uncompressed tar of FILES [(path, source, mode)], folders included."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for folder in sorted({folder for path, _, _ in files for folder in parents(path)}):
            member = tarfile.TarInfo(folder)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(member_clean(member))
        for path, source, mode in sorted(files):
            member = tarfile.TarInfo(path)
            member.size, member.mode = source.stat().st_size, mode
            with open(source, "rb") as stream:
                tar.addfile(member_clean(member), stream)
    return out.getvalue()


def layer_put(cache, raw):
    """Store the tar RAW as a compressed layer: {"sha256", "size", "diffId"}."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=1, mtime=0) as stream:
        stream.write(raw)
    digest, size = cache.blob_put(packed.getvalue())
    return {"sha256": digest, "size": size, "diffId": hashlib.sha256(raw).hexdigest()}


def json_put(cache, value):
    """Store VALUE as JSON: (hex digest, size)."""
    return cache.blob_put(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def image_put(cache, arch, layers, spec):
    """Store config and manifest of an image: {"manifest": {"sha256", "size"}, "blobs": {hex: size}}.

    SPEC may hold entrypoint, cmd and env; LAYERS are results of layer_put(), lowest first.
    """
    run = {"Env": [PATH] + spec.get("env", [])}
    if "entrypoint" in spec:
        run["Entrypoint"] = spec["entrypoint"]
    if "cmd" in spec:
        run["Cmd"] = spec["cmd"]
    config, config_size = json_put(cache, {
        "architecture": arch, "os": "linux", "created": EPOCH, "config": run,
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + layer["diffId"] for layer in layers]},
        "history": [{"created": EPOCH, "created_by": "scripts/payloads"} for _ in layers],
    })
    manifest, manifest_size = json_put(cache, {
        "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": "sha256:" + config, "size": config_size},
        "layers": [{"mediaType": LAYER_TYPE, "digest": "sha256:" + layer["sha256"], "size": layer["size"]}
                   for layer in layers],
    })
    blobs = {layer["sha256"]: layer["size"] for layer in layers}
    blobs |= {config: config_size, manifest: manifest_size}
    return {"manifest": {"sha256": manifest, "size": manifest_size}, "blobs": blobs}
