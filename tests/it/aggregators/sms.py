"""Judges text messages: the SDKs of Twilio, Vonage and MessageBird sign what we verify, verify what we verify, and send what we send.

Reads a list of questions as JSON and writes the list of answers.
"""

import hashlib
import json
import logging
import sys
import time
import warnings
from unittest import mock

import jwt
import messagebird
from messagebird.error import ValidationError
from messagebird.request_validator import RequestValidator as MessageBirdValidator
from twilio.base.exceptions import TwilioException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator as TwilioValidator
from twilio.rest import Client as TwilioClient
from vonage_http_client.auth import Auth
from vonage_jwt.verify_jwt import verify_signature

logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def twilio_sign(q):
    algorithm = q.get("algorithm", "HMAC_SHA1")
    return TwilioValidator(q["secret"]).compute_signature(q["url"], q["fields"], algorithm)


def twilio_check(q):
    validator = TwilioValidator(q["secret"])
    said = q["body"] if "body" in q else q["fields"]
    return validator.validate(q["url"], said, q["signature"], q.get("algorithm", "HMAC_SHA1"))


def auth(q):
    return Auth(api_key="k", api_secret="s", signature_secret=q["secret"], signature_method=q["method"])


def vonage_sign(q):
    return auth(q).sign_params(dict(q["fields"]))


def vonage_check(q):
    return auth(q).check_signature(dict(q["fields"]))


def vonage_token(q):
    claims = {"iat": int(time.time()), "jti": "j-1", "payload_hash": sha256(q["body"])}
    token = jwt.encode(claims, q["secret"], algorithm="HS256")
    return {"token": token, "now": int(time.time()), "verified": verify_signature(token, q["secret"])}


def messagebird_token(q):
    now = int(time.time())
    claims = {"iss": "MessageBird", "nbf": now - 1, "exp": now + 60, "jti": "j-1", "url_hash": sha256(q["url"])}
    if q["body"]:
        claims["payload_hash"] = sha256(q["body"])
    return {"token": jwt.encode(claims, q["secret"], algorithm=q["algorithm"]), "now": now}


def messagebird_check(q):
    try:
        MessageBirdValidator(q["secret"]).validate_signature(q["token"], q["url"], q["body"].encode())
        return True
    except ValidationError:
        return False


class Recorder(HttpClient):
    def request(self, method, url, params=None, data=None, headers=None, auth=None, timeout=None, allow_redirects=False):
        self.sent = {"method": method, "url": url, "fields": data, "auth": list(auth)}
        return Response(201, json.dumps({"sid": "SM1"}))


def twilio_send(q):
    recorder = Recorder(logging.getLogger(__name__), False)
    client = TwilioClient(q["sid"], q["token"], http_client=recorder)
    client.messages.create(to=q["to"], from_=q["from"], body=q["text"], status_callback=q["status_url"])
    return recorder.sent


def messagebird_send(q):
    with mock.patch("messagebird.http_client.requests.post") as post:
        post.return_value.status_code = 201
        post.return_value.text = json.dumps({"id": "m-1"})
        client = messagebird.Client(q["key"])
        extra = {"reference": q["reference"], "reportUrl": q["status_url"], "datacoding": "auto"}
        client.message_create(q["from"], [q["to"]], q["text"], extra)
    (url,), sent = post.call_args
    return {"url": url, "authorization": sent["headers"]["Authorization"], "body": json.loads(sent["data"])}


QUESTIONS = {
    each.__name__: each
    for each in [twilio_sign, twilio_check, vonage_sign, vonage_check, vonage_token, messagebird_token,
                 messagebird_check, twilio_send, messagebird_send]
}

try:
    answers = [QUESTIONS[question["do"]](question) for question in json.load(sys.stdin)]
except TwilioException as error:
    sys.exit(str(error))
json.dump(answers, sys.stdout)
