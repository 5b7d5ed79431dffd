"""Judges mail: django-anymail reads callbacks, the sendgrid package verifies, the standard library reads and writes MIME.

Reads a list of questions as JSON and writes the list of answers.
"""

import base64
import hashlib
import json
import sys
import warnings
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

warnings.simplefilter("ignore")

import django
from django.conf import settings

settings.configure(ALLOWED_HOSTS=["*"], ANYMAIL={}, SECRET_KEY="planted", DATA_UPLOAD_MAX_MEMORY_SIZE=None)
django.setup()

from anymail.exceptions import AnymailWebhookValidationFailure
from anymail.webhooks import mailgun, postmark, sendgrid, sparkpost
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import RequestFactory
from sendgrid.helpers.eventwebhook import EventWebhook

VIEWS = {
    ("mailgun", "inbound"): mailgun.MailgunInboundWebhookView,
    ("mailgun", "status"): mailgun.MailgunTrackingWebhookView,
    ("postmark", "inbound"): postmark.PostmarkInboundWebhookView,
    ("postmark", "status"): postmark.PostmarkTrackingWebhookView,
    ("sendgrid", "inbound"): sendgrid.SendGridInboundWebhookView,
    ("sendgrid", "status"): sendgrid.SendGridTrackingWebhookView,
    ("sparkpost", "inbound"): sparkpost.SparkPostInboundWebhookView,
    ("sparkpost", "status"): sparkpost.SparkPostTrackingWebhookView,
}


def digest(content):
    return hashlib.sha256(content).hexdigest()


def mail(message):
    files = [part for part in message.walk() if part.get_content_disposition() == "attachment"]
    return {
        "from": message.from_email.addr_spec.lower(),
        "name": message.from_email.display_name,
        "to": [each.addr_spec.lower() for each in message.to],
        "subject": message.subject,
        "text": message.text,
        "sender": message.envelope_sender,
        "recipient": message.envelope_recipient,
        "message_id": message["Message-ID"],
        "files": [[part.get_filename(), digest(part.get_content_bytes())] for part in files],
    }


def callback(question):
    view = VIEWS[question["provider"], question["kind"]](**question.get("settings", {}))
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in question["headers"].items()}
    body = base64.b64decode(question["body"])
    request = RequestFactory().post("/", data=body, content_type=question["content_type"], **headers)
    try:
        view.validate_request(request)
    except AnymailWebhookValidationFailure:
        return {"valid": False}
    events = view.parse_events(request)
    if question["kind"] == "inbound":
        return {"valid": True, "mails": [mail(event.message) for event in events], "ids": [event.event_id for event in events]}
    return {
        "valid": True,
        "events": [
            {
                "type": event.event_type,
                "at": event.timestamp and round(event.timestamp.timestamp()),
                "id": event.message_id,
                "ours": (event.metadata or {}).get("nexusId"),
            }
            for event in events
        ],
    }


def sign(question):
    known = question.get("private")
    key = serialization.load_pem_private_key(known.encode(), None) if known else ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    public = base64.b64encode(public).decode()
    signed = (question["timestamp"] + question["body"]).encode()
    signature = base64.b64encode(key.sign(signed, ec.ECDSA(hashes.SHA256()))).decode()
    judge = EventWebhook(public)
    assert judge.verify_signature(question["body"], signature, question["timestamp"])
    return {"key": public, "private": private.decode(), "signature": signature}


def verify(question):
    return EventWebhook(question["key"]).verify_signature(question["body"], question["signature"], question["timestamp"])


def read(question):
    message = BytesParser(policy=policy.default).parsebytes(base64.b64decode(question["raw"]))
    body = message.get_body(("plain",))
    html = message.get_body(("html",))
    return {
        "headers": [[name.lower(), str(value)] for name, value in message.items()],
        "from": message["from"].addresses[0].addr_spec,
        "name": message["from"].addresses[0].display_name,
        "subject": str(message["subject"]),
        "text": body and body.get_content(),
        "html": html and html.get_content(),
        "files": [[part.get_filename(), digest(part.get_payload(decode=True))] for part in message.iter_attachments()],
        "defects": [str(defect) for part in message.walk() for defect in part.defects],
        "longest": max(len(line) for line in base64.b64decode(question["raw"]).split(b"\r\n")),
    }


def write(question):
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = "Jörg Ünger <Joerg@Example.com>"
    message["To"] = "support@shop.example, Ana <ana@example.org>"
    message["Subject"] = question["subject"]
    message["Message-ID"] = "<1.2@example.com>"
    message["References"] = "<a@shop.example> <b@shop.example>"
    message["In-Reply-To"] = "<b@shop.example>"
    message["Date"] = "Tue, 14 Nov 2023 23:13:20 +0100"
    message.set_content(question["text"], charset=question["charset"], cte=question["cte"])
    message.add_alternative("<p>html</p>", subtype="html")
    message.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<p@example.com>", filename="p.png")
    message.add_attachment(bytes(range(256)) * 9, maintype="application", subtype="x-test", filename=question["file"])
    inner = EmailMessage(policy=policy.SMTP)
    inner["Subject"] = "inner"
    inner.set_content("inner words")
    message.add_attachment(inner)
    return base64.b64encode(message.as_bytes()).decode()


ACTIONS = {"callback": callback, "sign": sign, "verify": verify, "read": read, "write": write}
json.dump([ACTIONS[question["do"]](question) for question in json.load(sys.stdin)], sys.stdout)
