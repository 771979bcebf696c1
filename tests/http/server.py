"""HTTP server with faults for tests/http: plain TCP, a unix socket, and TLS that wants a client certificate."""
import http.server
import json
import os
import socket
import ssl
import sys
import threading
import time

folder = sys.argv[1]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def address_string(self):
        return "local"

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def chunks(self, pieces, pause):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for piece in pieces:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                time.sleep(pause)
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True

    def do(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if self.path == "/echo":
            peer = self.client_address[1] if isinstance(self.client_address, tuple) else 0
            answer = {"method": self.command, "body": body.decode(), "type": self.headers.get("Content-Type", ""),
                      "extra": self.headers.get("X-Extra", ""), "peer": peer, "expect": self.headers.get("Expect", "")}
            self.answer(200, json.dumps(answer).encode())
        elif self.path == "/big":
            self.answer(200, b"x" * 1000000)
        elif self.path == "/teapot":
            self.answer(418, b"short and stout")
        elif self.path == "/redirect":
            self.answer(302, b"elsewhere", Location="/echo")
        elif self.path == "/file-redirect":
            self.answer(302, b"elsewhere", Location="file:///etc/passwd")
        elif self.path == "/sleep":
            time.sleep(30)
        elif self.path == "/lines":
            self.chunks([b"one\ntw", b"o\n\nthree\n", b"four"], 0.02)
        elif self.path == "/endless":
            self.chunks((b"tick %d\n" % i for i in range(100000)), 0.02)
        elif self.path == "/long-line":
            self.chunks((b"x" * 1000 for i in range(1000)), 0)
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"only this")
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        else:
            self.answer(404, b"no such page")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # clients that hang up are what many tests are about


class UnixServer(Server):
    address_family = socket.AF_UNIX

    def server_bind(self):
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "unix", 0


def serve(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address


plain = Server(("127.0.0.1", 0), Handler)
secure = Server(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(os.path.join(folder, "server.pem"), os.path.join(folder, "server.key"))
context.load_verify_locations(os.path.join(folder, "ca.pem"))
context.verify_mode = ssl.CERT_REQUIRED
secure_unix = UnixServer(os.path.join(folder, "secure"), Handler)
for server in (secure, secure_unix):
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
serve(secure_unix)
serve(UnixServer(os.path.join(folder, "socket"), Handler))
print(serve(plain)[1], serve(secure)[1], flush=True)
threading.Event().wait()
