"""A subscriber to interactions webhooks. Every request is verified by the package standardwebhooks, which shares nothing with the
product; whichever of the secrets it holds fits is noted. `POST /control` changes what it holds and whether it answers challenges,
`GET /seen` tells what came.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import standardwebhooks

lock = threading.Lock()
held = {"secrets": [], "echo": "text"}
seen = {"notices": [], "challenges": 0, "refused": []}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        with lock:
            self.answer(200, json.dumps(seen), "application/json")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/control":
            with lock:
                held.update(json.loads(body))
            return self.answer(200, "{}", "application/json")
        fits = []
        with lock:
            secrets, echo = list(held["secrets"]), held["echo"]
        for at, secret in enumerate(secrets):
            try:
                standardwebhooks.Webhook(secret).verify(body, dict(self.headers.items()))
                fits.append(at)
            except standardwebhooks.WebhookVerificationError as error:
                why = str(error)
        if not fits:
            with lock:
                seen["refused"].append(why)
            return self.answer(401, "forged", "text/plain")
        said = json.loads(body)
        if said.get("type") == "url_verification":
            with lock:
                seen["challenges"] += 1
            if echo == "text":
                return self.answer(200, said["challenge"], "text/plain")
            if echo == "json":
                return self.answer(200, json.dumps({"challenge": said["challenge"]}), "application/json")
            return self.answer(200, "what?", "text/plain")
        with lock:
            event = said["data"]["entities"][0]
            seen["notices"].append(
                {"event": event["event"], "id": self.headers["webhook-id"], "fits": fits, "path": self.path,
                 "session": event["entity"]["id"]}
            )
        self.answer(200, '{"status":{"code":0}}', "application/json")

    def answer(self, status, text, kind):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"port": server.server_port}))
sys.stdin.read()
