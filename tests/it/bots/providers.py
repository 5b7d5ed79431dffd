"""Bots of others, as their contracts have them, on one port: a webhook bot, Dialogflow ES and CX, Lex V2.

Signatures are checked by packages that share nothing with the product: google-auth reads the claim of the service account,
botocore signs the same request anew, standardwebhooks verifies the webhook. A field that no contract knows is refused.
Which fault is played is part of the path. `GET /seen` tells what was asked and refused.
"""

import hashlib
import hmac
import json
import re
import socket
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import google.auth.jwt
import standardwebhooks
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

HUB = "planted-hub-secret"
SIGNING = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
ACCESS, SECRET = "AKIDEXAMPLE", "planted-lex-secret"
CLIENT = "bot@demo-project.iam.example.com"
SCOPE = "https:" + "//www.googleapis.com/auth/dialogflow"

key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
private = key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
public = key.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)

lock = threading.Lock()
seen = {"turns": [], "refused": [], "tokens": 0}
tokens = set()


class Refused(Exception):
    def __init__(self, status, why):
        super().__init__(why)
        self.status = status


def known(value, fields, where):
    """Refuses what is not an object of these fields; `?` marks what may be absent."""
    if not isinstance(value, dict):
        raise Refused(400, f"{where} is no object")
    names = {name.rstrip("?") for name in fields}
    for name in value:
        if name not in names:
            raise Refused(400, f"{where} has an unknown field {name}")
    for name in fields:
        if not name.endswith("?") and name not in value:
            raise Refused(400, f"{where} lacks {name}")


def replies_to(words):
    """What every bot here says, in the shape of the documented JSON."""
    text = (words or "").lower()
    if words is None:
        return {
            "messages": [{"text": "Hello, I am a bot."}],
            "quickReplies": [{"label": "Billing", "payload": "pay-1"}, {"label": "Orders"}],
        }
    if text == "pay-1":
        return {
            "messages": [{"text": "I will find somebody."}],
            "userData": {"topic": "billing"},
            "handover": {"queue": "chat.billing", "skills": ["english:8"], "reason": "asks about a bill"},
        }
    if text == "bye":
        return {"messages": [{"text": "Goodbye."}], "end": True}
    return {"messages": [{"text": f"You said {words}."}]}


def webhook(request):
    body, headers = request.body, request.headers
    expected = "sha256=" + hmac.new(HUB.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(headers.get("X-Hub-Signature-256", ""), expected):
        raise Refused(401, "hub signature")
    try:
        turn = standardwebhooks.Webhook(SIGNING).verify(body, dict(headers.items()))
    except standardwebhooks.WebhookVerificationError as error:
        raise Refused(401, f"standard webhook: {error}") from error
    fields = ["type", "id", "session", "turn", "bot", "mediaType", "locale?", "input", "userData", "history"]
    known(turn, fields, "turn")
    kind = turn["input"].get("kind")
    shapes = {"start": ["kind"], "text": ["kind", "text"], "choice": ["kind", "text", "payload"]}
    known(turn["input"], shapes[kind], "input")
    for line in turn["history"]:
        known(line, ["from", "text", "at"], "history")
    if turn["type"] != "bot.turn" or turn["id"] != headers["webhook-id"]:
        raise Refused(400, "type or id")
    with lock:
        seen["turns"].append(turn)
    words = {"start": None, "text": turn["input"].get("text"), "choice": turn["input"].get("payload")}[kind]
    return replies_to(words)


def token(request):
    form = urllib.parse.parse_qs(request.body.decode(), strict_parsing=True)
    known(form, ["grant_type", "assertion"], "token request")
    if form["grant_type"] != ["urn:ietf:params:oauth:grant-type:jwt-bearer"]:
        raise Refused(400, "grant type")
    assertion = form["assertion"][0]
    header = google.auth.jwt.decode_header(assertion)
    if header != {"alg": "RS256", "typ": "JWT", "kid": "k1"}:
        raise Refused(400, f"header {header}")
    try:
        claims = google.auth.jwt.decode(assertion, certs=public, audience=request.base() + "/token")
    except ValueError as error:
        raise Refused(401, f"claim: {error}") from error
    known(claims, ["iss", "scope", "aud", "iat", "exp"], "claim")
    if claims["iss"] != CLIENT or claims["scope"] != SCOPE or claims["exp"] - claims["iat"] > 3600:
        raise Refused(401, "claim")
    with lock:
        seen["tokens"] += 1
        given = f"ya29.{seen['tokens']}"
        tokens.add(given)
    return {"access_token": given, "expires_in": 3599, "token_type": "Bearer"}


def authorized(request):
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    with lock:
        good = given in tokens
    if scheme != "Bearer" or not good:
        raise Refused(401, "token")


def words_of(query, language, event):
    """The words of a `queryInput`; `None` for the welcome event."""
    if "event" in query:
        known(query["event"], event, "event")
        return None
    known(query["text"], ["text"] + (["languageCode"] if language else []), "text")
    if len(query["text"]["text"]) > 256:
        raise Refused(400, "text is too long")
    return query["text"]["text"]


def dialogflow_es(request):
    authorized(request)
    body = json.loads(request.body)
    known(body, ["queryInput", "queryParams?"], "request")
    known(body["queryInput"], ["text?", "event?"], "queryInput")
    words = words_of(body["queryInput"], True, ["name", "languageCode"])
    with lock:
        seen["turns"].append({"es": words})
    said = replies_to(words)
    texts = [{"text": {"text": [message["text"]]}} for message in said.pop("messages", [])]
    return {
        "responseId": "r-1",
        "queryResult": {
            "queryText": words or "WELCOME",
            "languageCode": "en",
            "fulfillmentText": "",
            "fulfillmentMessages": texts + [{"payload": {"nexus": said}}],
            "intent": {"name": "projects/p/agent/intents/1", "displayName": "demo"},
            "intentDetectionConfidence": 1,
        },
    }


def dialogflow_cx(request):
    authorized(request)
    body = json.loads(request.body)
    known(body, ["queryInput", "queryParams?"], "request")
    known(body["queryInput"], ["text?", "event?", "languageCode"], "queryInput")
    words = words_of(body["queryInput"], False, ["event"])
    with lock:
        seen["turns"].append({"cx": words})
    said = replies_to(words)
    messages = [{"text": {"text": [message["text"]]}} for message in said.pop("messages", [])]
    handover = said.pop("handover", None)
    if handover:
        messages.append({"liveAgentHandoff": {"metadata": handover}})
    if said.pop("end", False):
        messages.append({"endInteraction": {}})
    messages.append({"payload": {"nexus": said}})
    return {
        "responseId": "r-1",
        "queryResult": {"text": words or "", "languageCode": "en", "responseMessages": messages},
        "responseType": "FINAL",
    }


def lex(request):
    stamp = request.headers.get("X-Amz-Date", "")
    sent = request.headers.get("Authorization", "")
    if abs(time.time() - time.mktime(time.strptime(stamp, "%Y%m%dT%H%M%SZ")) + time.timezone) > 300:
        raise Refused(403, "the signature is stale")
    names = re.search(r"SignedHeaders=([^,]*)", sent).group(1).split(";")
    if not {"host", "x-amz-date"} <= set(names):
        raise Refused(403, f"signed headers {names}")
    again = botocore.awsrequest.AWSRequest(
        method="POST",
        url=request.base() + request.path,
        headers={name: request.headers[name] for name in names if name not in ("x-amz-date",)},
        data=request.body,
    )
    signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials(ACCESS, SECRET), "lex", "eu-west-1")
    again.context["timestamp"] = stamp
    again.headers["X-Amz-Date"] = stamp
    canonical = signer.canonical_request(again)
    signature = signer.signature(signer.string_to_sign(again, canonical), again)
    if f"Signature={signature}" not in sent:
        raise Refused(403, "the signature does not match")
    body = json.loads(request.body)
    known(body, ["text", "requestAttributes?"], "request")
    words = None if body["text"] == "hello" else body["text"]
    with lock:
        seen["turns"].append({"lex": words})
    said = replies_to(words)
    messages = [{"content": message["text"], "contentType": "PlainText"} for message in said.pop("messages", [])]
    replies = said.pop("quickReplies", None)
    if replies:
        buttons = [{"text": reply["label"], "value": reply.get("payload", reply["label"])} for reply in replies]
        card = {"title": "Topics", "buttons": buttons}
        messages.append({"contentType": "ImageResponseCard", "imageResponseCard": card})
    attributes = {}
    handover = said.pop("handover", None)
    if handover:
        attributes = {"handover": handover["queue"], "handoverReason": handover["reason"]}
    if said.pop("end", False):
        attributes["end"] = "true"
    messages.append({"contentType": "CustomPayload", "content": json.dumps({"nexus": said})})
    state = {"intent": {"name": "demo", "state": "InProgress", "slots": {}}, "sessionAttributes": attributes}
    return {"messages": messages, "sessionState": state, "interpretations": [], "sessionId": "s"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def base(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def do_GET(self):
        if self.path == "/forget":
            with lock:
                tokens.clear()
        with lock:
            self.answer(200, seen)

    def do_POST(self):
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            self.answer(200, self.route())
        except Refused as error:
            with lock:
                seen["refused"].append(str(error))
            self.answer(error.status, {"error": str(error)})
        except ConnectionError:
            raise
        except Exception as error:  # a request that no contract has
            with lock:
                seen["refused"].append(f"{type(error).__name__}: {error}")
            self.answer(400, {"error": "unreadable"})

    def route(self):
        session = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
        if self.path == "/token":
            return token(self)
        if re.fullmatch(rf"/v2/projects/demo-project/agent/sessions/{session}:detectIntent", self.path):
            return dialogflow_es(self)
        place = r"/v3/projects/demo-project/locations/global/agents/agent-1"
        if re.fullmatch(rf"{place}/sessions/{session}:detectIntent", self.path):
            return dialogflow_cx(self)
        if re.fullmatch(rf"/bots/BOT1/botAliases/ALIAS1/botLocales/en_US/sessions/{session}/text", self.path):
            return lex(self)
        if self.path == "/webhook":
            return webhook(self)
        fault = self.path.removeprefix("/fault/")
        with lock:
            again = fault == "once" and bool(seen["turns"])
            if not again:
                seen["turns"].append({"fault": fault, "id": self.headers.get("webhook-id")})
        if again:
            return webhook(self)
        if fault == "once":
            time.sleep(60)
        if fault == "hang":
            time.sleep(60)
        if fault == "drip":
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            for _ in range(600):
                self.wfile.write(b" ")
                time.sleep(0.1)
        if fault == "garbage":
            self.raw(200, b"<html>not a bot</html>")
        if fault == "huge":
            self.raw(200, b'{"messages":[{"text":"' + b"x" * 1_000_000 + b'"}]}')
        if fault == "redirect":
            self.send_response(307)
            self.send_header("Location", "/webhook")
            self.send_header("Content-Length", "0")
            self.end_headers()
            raise ConnectionAbortedError
        if fault == "reset":
            self.connection.shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError
        raise Refused(500, fault)

    def raw(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        raise ConnectionAbortedError

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, ValueError):
            self.close_connection = True


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"
account = {
    "type": "service_account",
    "project_id": "demo-project",
    "private_key_id": "k1",
    "private_key": private,
    "client_email": CLIENT,
    "token_uri": base + "/token",
}
ready = {
    "base": base,
    "webhook": json.dumps({"secret": HUB, "signingSecret": SIGNING}),
    "google": json.dumps(account),
    "lex": json.dumps({"accessKeyId": ACCESS, "secretAccessKey": SECRET}),
}
print(json.dumps(ready))
sys.stdin.read()
