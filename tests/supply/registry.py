"""What `caisson bundle lock` meets in the net, on loopback over TLS: files, a token server, a registry with faults.

usage: registry.py FOLDER   FOLDER has server.pem and server.key (TLS), token.pem and token.key (RSA: signs tokens),
files/ (served as they are). Prints its port, and one without TLS; notes every request in FOLDER/requests.
"""
import base64
import gzip
import hashlib
import http.server
import io
import json
import pathlib
import ssl
import subprocess
import sys
import tarfile
import threading
import time
import urllib.parse

folder = pathlib.Path(sys.argv[1])
OCI = "application/vnd.oci.image."
INDEX, MANIFEST, CONFIG = OCI + "index.v1+json", OCI + "manifest.v1+json", OCI + "config.v1+json"
LAYER = OCI + "layer.v1.tar+gzip"
LOGIN = "Basic " + base64.b64encode(b"officer:secret word").decode()
seen = {}  # how often each path was asked for
lock = threading.Lock()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(kind, data, **more):
    return {"mediaType": kind, "digest": digest(data), "size": len(data), **more}


def layer(name):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    return gzip.compress(out.getvalue(), mtime=0)


def image(architecture="amd64", spoil=None, name="hello"):
    """A manifest with its config and layer: (manifest, {digest: bytes}). SPOIL changes the manifest before it is written."""
    config, data = json.dumps({"os": "linux", "architecture": architecture}).encode(), layer(name)
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, config),
                "layers": [descriptor(LAYER, data)]}
    if spoil:
        spoil(manifest)
    text = json.dumps(manifest).encode()
    return text, {digest(config): config, digest(data): data, digest(text): text}


def index(*architectures, inside=None):
    """An index over images for these, or over INSIDE, as image() gives them."""
    blobs, children = {}, []
    for architecture in architectures:
        text, more = inside or image(architecture)
        blobs.update(more)
        name, _, variant = architecture.partition("/")
        platform = {"os": "linux", "architecture": name, **({"variant": variant} if variant else {})}
        children.append(descriptor(json.loads(text)["mediaType"], text, platform=platform))
    text = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}).encode()
    return text, {**blobs, digest(text): text}


def huge(manifest):
    manifest["annotations"] = {"x": "y" * (5 << 20)}


def foreign(manifest):
    manifest["layers"][0]["urls"] = ["https://example.invalid/layer"]


def config_size(manifest):
    manifest["config"]["size"] += 1


def layer_size(manifest):
    manifest["layers"][0]["size"] += 1


IMAGES = {
    "good": image(), "busy": image(), "overloaded": image(), "twice": image(), "basic": image(), "elsewhere": image(),
    "moved": image(), "lies": image(), "flipped": image(name="flipped"),
    "gone-layer": image(name="gone"), "expires": image(name="expires"), "variants": index("amd64/v3", "amd64", "amd64/v2"),
    "index": index("arm64", "amd64"), "arm": index("arm64", "s390x"), "nested": index("amd64", inside=index("amd64")),
    "config-arm": image("arm64"), "huge": image(spoil=huge), "foreign": image(spoil=foreign),
    "config-size": image(spoil=config_size), "layer-size": image(spoil=layer_size),
    "schema1": (b'{"schemaVersion":1,"name":"x","fsLayers":[]}', {}), "text": (b"no json", {}),
    "unknown": image(spoil=lambda m: m["layers"][0].update(mediaType="application/x-thing")),
}


def token(service, scope, who):
    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")
    kind, name, actions = scope.split(":", 2)
    certificate = "".join((folder / "token.pem").read_text().split("-----")[2].split())
    now = int(time.time())
    head = {"typ": "JWT", "alg": "RS256", "x5c": [certificate]}
    body = {"iss": "tokens", "sub": who, "aud": service, "exp": now + 300, "nbf": now - 10, "iat": now, "jti": str(time.time_ns()),
            "access": [{"type": kind, "name": name, "actions": actions.split(",")}]}
    text = part(json.dumps(head).encode()) + b"." + part(json.dumps(body).encode())
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", folder / "token.key"], input=text,
                               capture_output=True, check=True).stdout
    return (text + b"." + part(signature)).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    old_logins = set()

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def piece(self, body, size):
        """At most SIZE bytes of what is asked for; then the connection is cut."""
        begin = int(self.headers.get("Range", "bytes=0-")[6:].split("-")[0])
        self.send_response(206)
        self.send_header("Content-Length", str(len(body) - begin))
        self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
        self.send_header("ETag", '"one"')
        self.end_headers()
        self.wfile.write(body[begin:begin + size])
        self.close_connection = True

    def challenge(self, name):
        host = self.headers["Host"]
        self.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"who are you?"}]}',
                    WWW_Authenticate=f'Bearer realm="https://{host}/token",service="stub",scope="repository:{name}:pull"')

    def tokens(self, query):
        scope, service = query["scope"][0], query["service"][0]
        name = scope.split(":")[1]
        login = self.headers.get("Authorization")
        if name.startswith("private") and login != LOGIN:
            return self.answer(401, b'{"details":"wrong login"}')
        if name == "no-token":
            return self.answer(200, b'{"tokens":"x"}')
        return self.answer(200, json.dumps({"token": token(service, scope, "officer" if login else ""),
                                            "expires_in": 300}).encode())

    def registry(self, name, what, reference, times):
        login = self.headers.get("Authorization")
        if name in ("busy", "overloaded") and (times <= 2 or name == "overloaded"):
            return self.answer(429, b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow \x1b[2Jdown"}]}', Retry_After="1")
        if name == "twice" or (name in ("no-token", "elsewhere") and not login):
            return self.challenge(name)
        if name == "expires" and what == "blobs" and login and IMAGES[name][1][reference][:2] == b"\x1f\x8b":
            if login in self.old_logins:
                return self.challenge(name)
            self.old_logins.add(login)  # a part of the layer; then the token has run out, whatever was said of it
            return self.piece(IMAGES[name][1][reference], len(IMAGES[name][1][reference]) // 7)
        if name == "expires" and not login:
            return self.challenge(name)
        if name == "basic" and login != LOGIN:
            return self.answer(401, WWW_Authenticate='Basic realm="stub"')
        if name == "http-realm":
            return self.answer(401, WWW_Authenticate='Bearer realm="http://127.0.0.1:1/token",service="x"')
        if name == "forbidden":
            return self.answer(403, b"<html>no</html>")
        if name == "moved" and self.headers["Host"].startswith("localhost"):
            other = self.headers["Host"].replace("localhost", "127.0.0.1")
            return self.answer(307, Location=f"https://{other}{self.path}")
        if name == "circle":
            return self.answer(307, Location=self.path)
        if name == "downgrade":
            return self.answer(307, Location="http://127.0.0.1:1/")
        if name == "elsewhere" and what == "blobs":
            other = self.headers["Host"].replace("localhost", "127.0.0.1")
            return self.answer(307, Location=f"https://{other}/blob/elsewhere/{reference}")
        manifest, blobs = IMAGES.get(name, (None, {}))
        data = blobs.get(reference) if reference.startswith("sha256:") else manifest if reference == "1" else None
        if data is None or (name == "gone-layer" and what == "blobs" and data[:2] == b"\x1f\x8b"):
            return self.answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')
        said = digest(data)
        if name == "lies":
            said = "sha256:" + "0" * 64
        if name == "flipped" and data[:2] == b"\x1f\x8b":
            data = data[:-1] + bytes([data[-1] ^ 1])
        kind = json.loads(data).get("mediaType", MANIFEST) if what == "manifests" and data[:1] == b"{" else "text/plain"
        return self.answer(200, data, Content_Type=kind, Docker_Content_Digest=said)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        with lock:
            times = seen[self.path] = seen.get(self.path, 0) + 1
            with open(folder / "requests", "a", encoding="utf-8") as log:
                print(self.headers["Host"].split(":")[0], self.path, "login" if "Authorization" in self.headers else "-",
                      self.server.label, file=log)
        parts = url.path.split("/")
        if url.path == "/token":
            self.tokens(urllib.parse.parse_qs(url.query))
        elif parts[1] == "blob":  # a store behind a registry: it refuses logins of others
            if "Authorization" in self.headers:
                return self.answer(400, b"not yours")
            self.answer(200, IMAGES[parts[2]][1][parts[3]])
        elif parts[1] == "v2" and len(parts) >= 5:
            self.registry("/".join(parts[2:-2]), parts[-2], parts[-1], times)
        elif parts[1] == "files" and (folder / "files" / parts[-1]).is_file():
            self.answer(200, (folder / "files" / parts[-1]).read_bytes())
        else:
            self.answer(404, b"no such page")


def start(label, context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.label = label
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(folder / "server.pem", folder / "server.key")
print(f"{start('tls', tls)}\n{start('plain')}", flush=True)
threading.Event().wait()
