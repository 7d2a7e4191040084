"""Every EC2, SSM and SQS call is written down; tests can slow a call down, make it fail, or lose its answer."""

import json
import re
import time
import traceback

from moto import settings
from moto.core.responses import ActionResult, BaseResponse
from moto.ec2.exceptions import EC2ClientError

from state import CONTROL, LOCK, now_ms

SERVICES = ("ec2", "ssm")
# Only written down: a wait for messages would hold up every other call if it were carried out under the lock.
WRITTEN_DOWN_ONLY = ("sqs",)

# What is on sale does not change while a test runs; writing it out takes moto seconds, and every start asks for it.
UNCHANGING = ("DescribeInstanceTypes", "DescribeInstanceTypeOfferings")
REPLIES = {}
LENGTHY = (*UNCHANGING, "DescribeSpotPriceHistory")


def take_fault(action):
    with LOCK:
        for fault in CONTROL.faults:
            if fault["action"] == action and fault["times"] > 0:
                fault["times"] -= 1
                return fault
    return None


def error_code(status, body):
    """The error code of a reply: EC2 answers in XML, SSM in JSON; None for a reply that is no error."""
    if status < 400:
        return None
    text = body.decode() if isinstance(body, bytes) else str(body)
    match = re.search(r"<Code>([^<]+)</Code>", text) or re.search(r'"__type"\s*:\s*"(?:[^"#]*#)?([^"]+)"', text)
    return match.group(1) if match else f"HTTP {status}"


def params_of(response):
    """EC2's parameters are parsed by moto before the call; SSM's and SQS's are the JSON of the body."""
    if response.service_name in ("ssm", "sqs"):
        return json.loads(response.body or "{}")
    return json.loads(json.dumps(response.params or {}, default=str))


def write_down(response, action):
    entry = {
        "service": response.service_name,
        "action": action,
        "startedAtMs": now_ms(),
        "executedAtMs": None,
        "answeredAtMs": None,
        "status": None,
        "errorCode": None,
        "params": params_of(response),
    }
    with LOCK:
        entry["id"] = len(CONTROL.calls) + 1
        CONTROL.calls.append(entry)
    return entry


def carry_out(response, original, entry):
    if entry["action"] not in UNCHANGING:
        return original(response)
    key = (entry["action"], response.region, json.dumps(entry["params"], sort_keys=True))
    if key not in REPLIES:
        REPLIES[key] = original(response)
    return REPLIES[key]


def answer(response, original, entry, fault):
    """Carries the call out, unless a fault stops it before."""
    if fault and fault["code"]:
        # Throttling and faults of the service: "Error codes for the Amazon EC2 API",
        # https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html
        return response.serialized(ActionResult(EC2ClientError(fault["code"], fault["message"])))
    with LOCK:
        reply = carry_out(response, original, entry)
        entry["executedAtMs"] = now_ms()
    if fault and fault["loseAnswer"]:
        return 500, {}, ""
    return reply


def answer_question(response, original, action):
    """A dry run is a question and no call: it buys nothing, so tests that count, hold up or break calls do not mean
    it. moto carries some out in full, which takes seconds; unless rights are judged there is no need to."""
    if action in LENGTHY and settings.INITIAL_NO_AUTH_ACTION_COUNT == float("inf"):
        text = "Request would have succeeded, but DryRun flag is set"
        return response.serialized(ActionResult(EC2ClientError("DryRunOperation", text)))
    with LOCK:
        return original(response)


def install():
    original = BaseResponse.call_action

    def call_action(self):
        if self.service_name in WRITTEN_DOWN_ONLY:
            entry = write_down(self, self._get_action())
            reply = original(self)
            entry.update(status=reply[0], errorCode=error_code(reply[0], reply[2]), answeredAtMs=now_ms())
            return reply
        if self.service_name not in SERVICES:
            return original(self)
        action = self._get_action()
        if self.service_name == "ec2" and str((self.params or {}).get("DryRun", "")).lower() == "true":
            return answer_question(self, original, action)
        entry = write_down(self, action)
        delay = CONTROL.delays.get(action, {})
        time.sleep(delay.get("beforeMs", 0) / 1000)
        try:
            status, headers, body = answer(self, original, entry, take_fault(action))
        except Exception as problem:  # a bug of moto or of ours: said in full, where moto answers with a web page
            traceback.print_exc()
            text = f"the EC2 stand-in broke down: {type(problem).__name__}: {problem}"
            status, headers, body = self.serialized(ActionResult(EC2ClientError("InternalError", text)))
        time.sleep(delay.get("afterMs", 0) / 1000)
        entry.update(status=status, errorCode=error_code(status, body), answeredAtMs=now_ms())
        return status, headers, body

    BaseResponse.call_action = call_action
