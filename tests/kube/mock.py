"""A mock of an API server for tests/kube: discovery, apply, get, delete in memory, and objects whose names ask for trouble."""
import http.server
import json
import threading
import urllib.parse

objects, counts = {}, {}
RESOURCES = {
    "/api/v1": [("configmaps", "ConfigMap", True), ("namespaces", "Namespace", False), ("nodes", "Node", False)],
    "/apis/apps/v1": [("deployments/scale", "Scale", True), ("deployments", "Deployment", True)],
    "/apis/rbac.authorization.k8s.io/v1": [("clusterroles", "ClusterRole", False)],
    "/apis/late.dev/v1": [("laters", "Later", True)],
}
TROUBLE = {  # last part of the path: (status, reason, how often)
    "busy": (429, "TooManyRequests", 2),
    "webhook": (500, "InternalError", 2),
    "broken": (500, "InternalError", 1000),
    "conflict": (409, "Conflict", 2),
    "always-conflict": (409, "Conflict", 1000),
    "invalid": (422, "Invalid", 1000),
    "forbidden": (403, "Forbidden", 1000),
    "stranger": (401, "Unauthorized", 1000),
}


def count(what):
    counts[what] = counts.get(what, 0) + 1
    return counts[what]


def status(code, reason, message):
    return code, {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": code}


def discovery(path):
    if path == "/apis/late.dev/v1" and count(path) <= 3:
        return status(404, "NotFound", "the server could not find the requested resource")
    return 200, {"resources": [{"name": n, "kind": k, "namespaced": s} for n, k, s in RESOURCES[path]]}


def events(path):
    def event(name, second, kind, message):
        return {"type": kind, "reason": "FailedMount", "message": message, "involvedObject": {"name": name},
                "lastTimestamp": "2026-01-01T00:00:%02dZ" % second}
    return 200, {"items": [event("web-abc-1", 1, "Warning", "oldest"), event("web-abc-1", 5, "Warning", "newest"),
                           event("web", 3, "Warning", "middle"), event("web", 2, "Warning", "older"),
                           event("web", 9, "Normal", "normal"), event("website", 8, "Warning", "of another")]}


def apply(path, query, kind, body):
    if kind != "application/apply-patch+yaml" or query != {"fieldManager": ["caisson"], "force": ["true"]}:
        return status(400, "BadRequest", "not a server-side apply by caisson: %s %s" % (kind, query))
    stored = json.loads(body)
    stored["metadata"]["managedFields"] = [{"manager": "somebody" if path.endswith("/adopted") else "caisson"}]
    objects[path] = stored
    return 200, stored


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, path, query, body):
        name = path.rsplit("/", 1)[1]
        if name in TROUBLE:
            code, reason, times = TROUBLE[name]
            if count(path) <= times:
                return status(code, reason, "trouble with %s" % name)
        if path in RESOURCES:
            return discovery(path)
        if path.endswith("/events"):
            return events(path)
        if self.command == "PATCH":
            return apply(path, query, self.headers.get("Content-Type"), body)
        if path == "/counts":
            return 200, counts
        if path not in objects:
            return status(404, "NotFound", "%s not found" % path)
        if self.command == "DELETE":
            counts["policy " + json.loads(body)["propagationPolicy"]] = 1
            del objects[path]
            return 200, {"kind": "Status", "status": "Success"}
        return 200, objects[path]

    def do(self):
        url = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urllib.parse.unquote(url.path)
        kind = "application/json"
        if path == "/readyz":
            code = 500 if count(path) <= 2 else 200
            answer, kind = (b"[-]etcd failed" if code == 500 else b"ok"), "text/plain"
        elif path.endswith("/html"):
            code, answer, kind = 502, b"<h1>Bad gateway</h1>", "text/html"
        else:
            code, value = self.reply(path, urllib.parse.parse_qs(url.query), body)
            answer = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PATCH = do_DELETE = do_POST = do


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
threading.Event().wait()
