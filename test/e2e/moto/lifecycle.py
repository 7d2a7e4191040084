"""Instances take their time: pending before running, shutting-down before terminated.

Source: "Amazon EC2 instance state changes",
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
"""

import copy
import threading

from moto.ec2.models.instances import Instance, StateReason
from moto.ec2.models.spot_requests import SpotInstanceRequest

from state import CONTROL, LOCK, now_ms

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48}


def enter(instance, name):
    instance._state.name = name
    instance._state.code = CODES[name]
    note(instance)


def note(instance):
    history = instance.cooper_history
    if not history or history[-1]["state"] != instance.state:
        history.append({"state": instance.state, "atMs": now_ms()})


def later(delay_ms, action):
    def locked():
        with LOCK:
            action()

    timer = threading.Timer(delay_ms / 1000, locked)
    timer.daemon = True
    timer.start()


def install():
    original_init, original_terminate = Instance.__init__, Instance.terminate

    def init(self, *args, **kwargs):
        original_init(self, *args, **kwargs)
        self.cooper_history = []
        # The interface goes at termination, and the address with it; tests ask later too.
        self.cooper_ip, self.cooper_dns_name = self.private_ip, self.private_dns_name
        enter(self, "pending")
        CONTROL.instances.append(self)

        def boot():
            if self.state == "pending":
                enter(self, "running")

        if CONTROL.pending_ms > 0:
            later(CONTROL.pending_ms, boot)
        else:
            boot()

    def terminate(self):
        previous = copy.copy(self._state)
        if previous.name in ("shutting-down", "terminated"):
            return previous

        def finish():
            original_terminate(self)
            note(self)
            close_spot_request(self)

        enter(self, "shutting-down")
        if CONTROL.shutting_down_ms > 0:
            later(CONTROL.shutting_down_ms, finish)
        else:
            finish()
        return previous

    Instance.__init__, Instance.terminate = init, terminate
    original_filter = SpotInstanceRequest.get_filter_value

    def get_filter_value(self, filter_name, method_name=None):
        """Filters of "DescribeSpotInstanceRequests" that moto lacks,
        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotInstanceRequests.html"""
        if filter_name == "status-code":
            return self._status_code
        return original_filter(self, filter_name, method_name)

    SpotInstanceRequest.get_filter_value = get_filter_value


def close_spot_request(instance):
    """A one-time request ends with its instance: "Spot Instance request states and status",
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-request-status.html"""
    request = instance.ec2_backend.spot_instance_requests.get(getattr(instance, "spot_instance_request_id", None))
    if request is None:
        return
    reclaimed = instance.state_reason.code == "Server.SpotInstanceTermination"
    request.state = "closed"
    request._status_code = "instance-terminated-no-capacity" if reclaimed else "instance-terminated-by-user"


def reclaim(instance_id):
    """Amazon takes a Spot instance back, or a host fails: the instance ends without anyone having asked."""
    for instance in CONTROL.instances:
        if instance.id == instance_id:
            instance.terminate()
            instance.state_reason = StateReason("Server.SpotInstanceTermination", "Server.SpotInstanceTermination")
            return
    raise KeyError(instance_id)


def announce_reclaim(instance_id):
    """A Spot instance gets its two minutes' notice: the request has the final code at once, the instance still runs.
    "Spot Instance request status", https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-request-status.html"""
    for instance in CONTROL.instances:
        if instance.id == instance_id:
            requests = instance.ec2_backend.spot_instance_requests
            request = requests[instance.spot_instance_request_id]
            request.state = "closed"
            request._status_code = "instance-terminated-no-capacity"
            return
    raise KeyError(instance_id)
