"""What the tests have set and seen: settings, capacity, prices, calls and instances, behind one lock."""

import hashlib
import threading
import time

from moto.ec2.models.instance_types import INSTANCE_TYPES

ACCOUNT = "123456789012"

# moto keeps its objects in plain dictionaries and is served by threads; calls are therefore taken one at a time.
LOCK = threading.RLock()


def now_ms():
    return int(time.time() * 1000)


class Scarcity:
    """So many instances are left of an offering. '*' stands for any capacity type, instance type or zone."""

    def __init__(self, rule):
        self.capacity_type = rule.get("capacityType", "*")
        self.instance_type = rule.get("instanceType", "*")
        self.zone = rule.get("zone", "*")
        self.remaining = int(rule.get("remaining", 0))

    def covers(self, capacity_type, instance_type, zone):
        pairs = ((self.capacity_type, capacity_type), (self.instance_type, instance_type), (self.zone, zone))
        return all(rule in ("*", value) for rule, value in pairs)


class Control:
    def __init__(self):
        self.pending_ms = 0
        self.shutting_down_ms = 0
        self.scarcities = []
        self.delays = {}
        self.faults = []
        self.calls = []
        self.instances = []
        self.on_demand_prices = {}
        self.spot_prices = {}

    def on_demand_price(self, instance_type):
        """USD per hour, from the table given at the start; a type without one gets a price by size, so that
        every type has one: 0.032 per vCPU and 0.004 per GiB, which is near the large m5, c5 and r5."""
        listed = self.on_demand_prices.get(instance_type)
        if listed is not None:
            return listed
        shape = INSTANCE_TYPES.get(instance_type)
        if shape is None:
            return float("inf")
        return 0.032 * shape["VCpuInfo"]["DefaultVCpus"] + 0.004 * shape["MemoryInfo"]["SizeInMiB"] / 1024

    def spot_price(self, instance_type, zone):
        """USD per hour: what a test has set, else 30 to 45 % of on-demand, always the same for a type and zone."""
        set_price = self.spot_prices.get((instance_type, zone))
        if set_price is not None:
            return set_price
        digest = hashlib.sha256(f"{instance_type}/{zone}".encode()).digest()
        return self.on_demand_price(instance_type) * (0.30 + 0.15 * digest[0] / 255)

    def take(self, capacity_type, instance_type, zone):
        """Takes one instance out of what is left; False when a rule says there is none."""
        rules = [rule for rule in self.scarcities if rule.covers(capacity_type, instance_type, zone)]
        if any(rule.remaining <= 0 for rule in rules):
            return False
        for rule in rules:
            rule.remaining -= 1
        return True


CONTROL = Control()
