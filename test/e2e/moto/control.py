"""The tests' own door, http://127.0.0.1:PORT/cooper-control/...: JSON in, JSON out, beside the AWS API."""

import json
from urllib.parse import parse_qsl

from moto.ec2.models.instance_types import INSTANCE_TYPES

import lifecycle
import network
from state import CONTROL, LOCK, Scarcity

PREFIX = "/cooper-control/"


def view(instance):
    """Everything a test asks of an instance, terminated ones included."""
    fleet = getattr(instance, "_fleet_id", None) or getattr(instance, "_spot_fleet_id", None)
    devices = []
    for name, device in instance.get_block_device_mapping:
        volume = instance.ec2_backend.volumes[device.volume_id]
        devices.append(
            {
                "deviceName": name,
                "sizeGib": volume.size,
                "type": volume.volume_type,
                "encrypted": bool(volume.encrypted),
                "deleteOnTermination": bool(device.delete_on_termination),
            }
        )
    options = instance.metadata_options
    return {
        "id": instance.id,
        "instanceType": instance.instance_type,
        "architecture": INSTANCE_TYPES[instance.instance_type]["ProcessorInfo"]["SupportedArchitectures"][-1],
        "imageId": instance.image_id,
        "zone": instance.availability_zone,
        "region": instance.region_name,
        "capacityType": "spot" if instance.lifecycle == "spot" else "on-demand",
        "state": instance.state,
        "history": instance.cooper_history,
        "subnetId": instance.subnet_id,
        "securityGroupIds": [group.id for group in instance.security_groups],
        "instanceProfileArn": (instance.iam_instance_profile or {}).get("Arn"),
        "metadataOptions": {
            "httpTokens": options.http_tokens,
            "httpPutResponseHopLimit": options.http_put_response_hop_limit,
            "httpEndpoint": options.http_endpoint,
        },
        "blockDevices": devices,
        "privateDnsName": instance.cooper_dns_name,
        "privateIp": instance.cooper_ip,
        "fleetId": fleet,
        "tags": {tag["key"]: tag["value"] for tag in instance.get_tags()},
        "userDataBase64": str(instance.user_data) if instance.user_data else "",
    }


def shape(name):
    """Size of an instance type, as DescribeInstanceTypes tells it."""
    info = INSTANCE_TYPES[name]
    net = info["NetworkInfo"]
    gpus = info.get("GpuInfo", {}).get("Gpus", [])
    return {
        "name": name,
        "vcpus": info["VCpuInfo"]["DefaultVCpus"],
        "memoryMib": info["MemoryInfo"]["SizeInMiB"],
        "networkInterfaces": net["MaximumNetworkInterfaces"],
        "addressesPerInterface": net["Ipv4AddressesPerInterface"],
        "nvidiaGpus": sum(gpu["Count"] for gpu in gpus if gpu["Manufacturer"] == "NVIDIA"),
    }


def calls(query):
    after, action = int(query.get("after", 0)), query.get("action")
    return [call for call in CONTROL.calls[after:] if action in (None, call["action"])]


def settings(body):
    CONTROL.pending_ms = int(body.get("pendingMs", CONTROL.pending_ms))
    CONTROL.shutting_down_ms = int(body.get("shuttingDownMs", CONTROL.shutting_down_ms))
    return {"pendingMs": CONTROL.pending_ms, "shuttingDownMs": CONTROL.shutting_down_ms}


def scarcities(body):
    CONTROL.scarcities = [Scarcity(rule) for rule in body]


def delays(body):
    CONTROL.delays = body


def faults(body):
    defaults = {"code": "", "message": "injected by the test", "times": 1, "loseAnswer": False}
    CONTROL.faults = [{**defaults, **fault} for fault in body]


def spot_prices(body):
    CONTROL.spot_prices = {(p["instanceType"], p["zone"]): float(p["usdPerHour"]) for p in body}


READS = {
    "health": lambda query: {"ok": True},
    "calls": calls,
    "instances": lambda query: [view(instance) for instance in CONTROL.instances],
    "instance-types": lambda query: [shape(name) for name in query["names"].split(",")],
}
WRITES = {
    "settings": settings,
    "scarcities": scarcities,
    "delays": delays,
    "faults": faults,
    "spot-prices": spot_prices,
    "network": network.lay,
    "user": network.user,
    "reclaim": lambda body: lifecycle.reclaim(body["instanceId"]),
    "announce-reclaim": lambda body: lifecycle.announce_reclaim(body["instanceId"]),
}


def serve(environ, start_response):
    name = environ["PATH_INFO"][len(PREFIX) :]
    try:
        if environ["REQUEST_METHOD"] == "GET":
            handler, argument = READS[name], dict(parse_qsl(environ.get("QUERY_STRING", "")))
        else:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            handler, argument = WRITES[name], json.loads(environ["wsgi.input"].read(length) or b"null")
        with LOCK:
            status, text = "200 OK", json.dumps(handler(argument), default=str)
    except (KeyError, TypeError, ValueError) as problem:
        status, text = "400 Bad Request", json.dumps({"error": f"{name}: {type(problem).__name__}: {problem}"})
    payload = text.encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(payload)))])
    return [payload]
