"""CreateFleet as EC2 documents it: idempotent by ClientToken, cheapest first, short of capacity, template applied.

Sources are named at each function; the request and reply are those of "CreateFleet",
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFleet.html
"""

import copy
import json

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.fleets import Fleet
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES
from moto.ec2.models.spot_requests import SpotInstanceRequest
from moto.ec2.responses.fleets import Fleets
from moto.ec2.utils import convert_tag_spec
from moto.iam.models import iam_backends

from state import ACCOUNT, CONTROL

answered = {}  # (region, ClientToken) -> (parameters, reply)


def create_fleet_once(original):
    """"Ensuring idempotency in Amazon EC2 API requests",
    https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html: the same token with the same
    parameters gets the first answer again and starts nothing; with other parameters IdempotentParameterMismatch."""

    def create_fleet(self):
        token = self._get_param("ClientToken")
        key = (self.region, token)
        params = {name: value for name, value in self.params.items() if name not in ("ClientToken", "DryRun")}
        fingerprint = json.dumps(params, sort_keys=True, default=str)
        if token and key in answered:
            first, reply = answered[key]
            if first != fingerprint:
                raise EC2ClientError(
                    "IdempotentParameterMismatch",
                    f"The client token {token} was used before with other parameters.",
                )
            return copy.copy(reply)
        reply = original(self)
        add_errors(self.ec2_backend.fleets[reply.result["FleetId"]], reply.result)
        if token:
            answered[key] = (fingerprint, copy.deepcopy(reply))
        return reply

    return create_fleet


def add_errors(fleet, result):
    errors = getattr(fleet, "cooper_errors", [])
    if errors:
        result["Errors"] = errors


def zone_of(fleet, spec):
    return fleet.ec2_backend.get_subnet(spec.subnet_id).availability_zone if spec.subnet_id else None


def price_of(fleet, spec, lifecycle):
    if lifecycle == "on-demand":
        return CONTROL.on_demand_price(spec.instance_type)
    return CONTROL.spot_price(spec.instance_type, zone_of(fleet, spec))


def ranked(fleet, lifecycle):
    """The order in which pools are tried: "Use allocation strategies to determine how EC2 Fleet or Spot Fleet
    fulfills Spot and On-Demand capacity",
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-fleet-allocation-strategy.html.
    How much capacity a pool has is known to Amazon alone: the capacity-optimized strategies go by price here,
    the prioritized ones by Priority, a lower number first and none last."""
    options = (fleet.on_demand_options if lifecycle == "on-demand" else fleet.spot_options) or {}
    strategy = options.get("AllocationStrategy") or "lowest-price"

    def rank(spec):
        priority = (spec.overrides or {}).get("Priority")
        by_priority = float(priority) if priority is not None else float("inf")
        return (by_priority if "prioritized" in strategy else 0, price_of(fleet, spec, lifecycle))

    return sorted(fleet.launch_specs, key=rank)


def refusal(fleet, spec, lifecycle):
    """(code, message) when EC2 would not launch this pool, else None. Codes: "Error codes for the Amazon EC2 API",
    https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html"""
    backend, zone = fleet.ec2_backend, zone_of(fleet, spec)
    shape = INSTANCE_TYPES.get(spec.instance_type)
    if shape is None:
        return "InvalidInstanceType", f"The instance type {spec.instance_type} does not exist"
    offered = INSTANCE_TYPE_OFFERINGS["availability-zone"].get(backend.region_name, [])
    if zone and not any(o["InstanceType"] == spec.instance_type and o["Location"] == zone for o in offered):
        return "Unsupported", f"{spec.instance_type} is not supported in the Availability Zone {zone}."
    image = backend.amis.get(spec.image_id)
    if image is None:
        return "InvalidAMIID.NotFound", f"The image id '[{spec.image_id}]' does not exist"
    if image.architecture not in shape["ProcessorInfo"]["SupportedArchitectures"]:
        return (
            "InvalidParameterValue",
            f"The architecture of {spec.instance_type} does not match {image.architecture} of the AMI.",
        )
    _, data = template_of(fleet, spec)
    profile = data.get("IamInstanceProfile") or {}
    if not profile_exists(profile):
        return "InvalidParameterValue", f"Invalid IAM Instance Profile {profile.get('Name') or profile.get('Arn')}"
    if spec.subnet_id and backend.get_subnet(spec.subnet_id).available_ip_address_count <= 0:
        return "InsufficientFreeAddressesInSubnet", f"There are not enough free addresses in {spec.subnet_id}."
    if not CONTROL.take(lifecycle, spec.instance_type, zone):
        return (
            "InsufficientInstanceCapacity",
            f"We currently do not have sufficient {spec.instance_type} capacity in the Availability Zone {zone}.",
        )
    return None


def profile_exists(profile):
    known = iam_backends[ACCOUNT]["aws"].instance_profiles.values()
    name, arn = profile.get("Name"), profile.get("Arn")
    return not (name or arn) or any(p.name == name or p.arn == arn for p in known)


def fulfil(fleet, weight, lifecycle):
    """Buys until the weight is reached or every pool has refused: an instant fleet tries each pool once and
    reports the refusals beside what it got ("Configure an EC2 Fleet of type instant",
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instant-fleet.html)."""
    fleet.cooper_errors = []
    for spec in ranked(fleet, lifecycle):
        while weight > 0:
            problem = refusal(fleet, spec, lifecycle)
            if problem is not None:
                fleet.cooper_errors.append(as_error(spec, lifecycle, problem))
                break
            buy(fleet, spec, lifecycle)
            weight -= float(spec.weighted_capacity or 1)
            fleet.fulfilled_capacity += float(spec.weighted_capacity or 1)


def as_error(spec, lifecycle, problem):
    where = {"LaunchTemplateSpecification": spec.launch_template_spec, "Overrides": spec.overrides or {}}
    return {
        "LaunchTemplateAndOverrides": where,
        "Lifecycle": lifecycle,
        "ErrorCode": problem[0],
        "ErrorMessage": problem[1],
    }


def buy(fleet, spec, lifecycle):
    if lifecycle == "on-demand":
        instance = launch(fleet, spec, {"fleet_id": fleet.id})
        fleet.on_demand_instances.append({"id": instance.id, "instance": instance, "launch_spec": spec})
        return
    fleet.spot_requests += fleet.ec2_backend.request_spot_instances(
        price=spec.spot_price,
        image_id=spec.image_id,
        count=1,
        spot_instance_type="one-time",
        valid_from=None,
        valid_until=None,
        launch_group=None,
        availability_zone_group=None,
        key_name=spec.key_name,
        security_groups=[],
        user_data=spec.user_data,
        instance_type=spec.instance_type,
        placement=None,
        kernel_id=None,
        ramdisk_id=None,
        monitoring_enabled=False,
        subnet_id=spec.subnet_id,
        spot_fleet_id=fleet.id,
        tags=spec.tag_specifications,
        launch_spec=spec,
    )


def template_of(fleet, spec):
    """The version of the launch template that a pool names, and its data with the pool's overrides on top."""
    template = fleet.ec2_backend.get_launch_template(spec.launch_template_spec["LaunchTemplateId"])
    version = template.get_version(spec.launch_template_spec.get("Version", template.default_version_number))
    return version, {**version.data, **(spec.overrides or {})}


def launch(fleet, spec, extra):
    """One instance with every field of the launch template that concerns it: "RequestLaunchTemplateData",
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RequestLaunchTemplateData.html. Amazon's own tags:
    "Tag your resources", https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/tag-ec2-fleet.html"""
    backend = fleet.ec2_backend
    version, data = template_of(fleet, spec)
    interfaces = data.get("NetworkInterfaces") or []
    groups = data.get("SecurityGroupIds") or [group for nic in interfaces for group in nic.get("Groups", [])]
    if data.get("BlockDeviceMappings"):
        extra = {**extra, "block_device_mappings": [d for d in data["BlockDeviceMappings"] if "Ebs" in d]}
    tags = {kind: dict(spec.tag_specifications.get(kind, {})) for kind in ("instance", "volume")}
    for kind, asked in fleet.cooper_tags.items():
        tags.setdefault(kind, {}).update(asked)
    tags["instance"]["aws:ec2:fleet-id"] = fleet.id
    reservation = backend.run_instances(
        image_id=spec.image_id,
        count=1,
        user_data=spec.user_data,
        security_group_names=[] if groups else data.get("SecurityGroups", []),
        security_group_ids=list(groups),
        instance_type=spec.instance_type,
        is_instance_type_default=False,
        region_name=backend.region_name,  # moto forgets it here, and names every private host *.ec2.internal
        key_name=spec.key_name,
        subnet_id=spec.subnet_id,
        monitoring_state="enabled" if (data.get("Monitoring") or {}).get("Enabled") else "disabled",
        metadata_options=data.get("MetadataOptions", {}),
        ebs_optimized=data.get("EbsOptimized", False),
        launch_template={"LaunchTemplateId": version.template.id, "Version": version.number},
        tags=tags,
        **extra,
    )
    instance = reservation.instances[0]
    profile = data.get("IamInstanceProfile") or {}
    if profile:
        backend.associate_iam_instance_profile(instance.id, profile.get("Name"), profile.get("Arn"))
    return instance


def install():
    original_init, original_spot_init = Fleet.__init__, SpotInstanceRequest.__init__
    original_launch = SpotInstanceRequest.launch_instance

    def init(self, *args, **kwargs):
        specifications = args[-1] if args else kwargs["tag_specifications"]
        asked = convert_tag_spec(specifications)
        self.cooper_tags = {kind: asked[kind] for kind in ("instance", "volume") if kind in asked}
        original_init(self, *args, **kwargs)

    def spot_init(self, *args, **kwargs):
        original_spot_init(self, *args, **kwargs)
        self.instance.spot_instance_request_id = self.id

    def launch_spot(self):
        if self.launch_spec is None:
            return original_launch(self)
        extra = {"spot_fleet_id": self.spot_fleet_id, "lifecycle": "spot"}
        return launch(self.ec2_backend.fleet_in_progress, self.launch_spec, extra)

    def create_on_demand(self, weight):
        fulfil(self, weight, "on-demand")

    def create_spot(self, weight):
        self.ec2_backend.fleet_in_progress = self  # the request knows only the fleet's id, not yet in the backend
        fulfil(self, weight, "spot")
        return self.spot_requests

    Fleet.__init__, SpotInstanceRequest.__init__ = init, spot_init
    Fleet.create_on_demand_requests, Fleet.create_spot_requests = create_on_demand, create_spot
    SpotInstanceRequest.launch_instance = launch_spot
    Fleets.create_fleet = create_fleet_once(Fleets.create_fleet)
