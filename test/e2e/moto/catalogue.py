"""What can be read: Spot prices, EKS image parameters and their images, and lists that come in pages."""

import datetime
import hashlib

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import Ami
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.responses.spot_instances import SpotInstances
from moto.ssm.models import Parameter, ssm_backends

from state import ACCOUNT, CONTROL

KUBERNETES_VERSIONS = ("1.31", "1.32", "1.33", "1.34", "1.35", "1.36")
AL2023_VARIANTS = (
    ("x86_64", "standard"),
    ("x86_64", "nvidia"),
    ("x86_64", "neuron"),
    ("arm64", "standard"),
    ("arm64", "nvidia"),
)


def paged(method, key):
    """MaxResults and NextToken, which moto takes and ignores: "Query requests for Amazon EC2: pagination",
    https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-pagination.html"""

    def one_page(self):
        items = list(method(self).result[key])
        start = int(self._get_param("NextToken") or 0)
        size = int(self._get_param("MaxResults") or 0) or len(items)
        page = {key: items[start : start + size]}
        if start + size < len(items):
            page["NextToken"] = str(start + size)
        return ActionResult(page)

    return one_page


def spot_price_history(self):
    """One current price per type, zone and product: "DescribeSpotPriceHistory",
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotPriceHistory.html. moto has 0.00001
    of 2006 for all. Made-up but plausible prices: see `spot_price` in state.py."""
    filters = self._filters_from_querystring()
    types = set(self._get_param("InstanceTypes", []) or filters.get("instance-type", []))
    products = set(self._get_param("ProductDescriptions", []) or filters.get("product-description", []))
    zones = set(filters.get("availability-zone", []))
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    history = []
    for offering in INSTANCE_TYPE_OFFERINGS["availability-zone"].get(self.region, []):
        name, zone = offering["InstanceType"], offering["Location"]
        if (types and name not in types) or (zones and zone not in zones):
            continue
        if "spot" not in INSTANCE_TYPES.get(name, {}).get("SupportedUsageClasses", []):
            continue
        for product in products & {"Linux/UNIX", "Windows"} or {"Linux/UNIX"}:
            price = CONTROL.spot_price(name, zone) * (1 if product == "Linux/UNIX" else 1.5)
            history.append(
                {
                    "InstanceType": name,
                    "ProductDescription": product,
                    "SpotPrice": f"{price:.6f}",
                    "AvailabilityZone": zone,
                    "Timestamp": now,
                }
            )
    return ActionResult({"SpotPriceHistory": history})


def image_parameters():
    """(parameter, architecture, image name) of EKS images. Names: "Retrieve recommended Amazon Linux AMI IDs",
    https://docs.aws.amazon.com/eks/latest/userguide/retrieve-ami-id.html, and "Retrieve recommended Bottlerocket
    AMI IDs", https://docs.aws.amazon.com/eks/latest/userguide/retrieve-ami-id-bottlerocket.html"""
    for version in KUBERNETES_VERSIONS:
        for arch, variant in AL2023_VARIANTS:
            path = f"/aws/service/eks/optimized-ami/{version}/amazon-linux-2023/{arch}/{variant}/recommended"
            yield f"{path}/image_id", arch, f"amazon-eks-node-al2023-{arch}-{variant}-{version}-v20260701"
        for flavour in ("", "-nvidia"):
            for arch in ("x86_64", "arm64"):
                path = f"/aws/service/bottlerocket/aws-k8s-{version}{flavour}/{arch}/latest"
                yield f"{path}/image_id", arch, f"bottlerocket-aws-k8s-{version}{flavour}-{arch}-v1.50.0"


def put_parameter(region, name, value):
    ssm_backends[ACCOUNT][region]._parameters[name].append(
        Parameter(
            account_id=ACCOUNT,
            name=name,
            value=value,
            parameter_type="String",
            description=None,
            allowed_pattern=None,
            keyid=None,
            last_modified_date=datetime.datetime(2026, 7, 1),
            version=1,
            data_type="text",
            tier="Standard",
        )
    )


def seed_images(region):
    """Registers the images behind the EKS parameters, owned by Amazon; the id follows from the name."""
    backend = ec2_backends[ACCOUNT][region]
    for parameter, arch, name in image_parameters():
        image_id = "ami-" + hashlib.sha256(f"{region}/{name}".encode()).hexdigest()[:17]
        bottlerocket = name.startswith("bottlerocket")
        backend.amis[image_id] = Ami(
            backend,
            image_id,
            name=name,
            description=name,
            owner_id="092701018921" if bottlerocket else "602401143452",
            owner_alias="amazon",
            public=True,
            virtualization_type="hvm",
            architecture=arch,
            hypervisor="xen",
            root_device_type="ebs",
            root_device_name="/dev/xvda",
            region_name=region,
        )
        put_parameter(region, parameter, image_id)


def install():
    SpotInstances.describe_spot_price_history = paged(spot_price_history, "SpotPriceHistory")
    for method, key in (
        ("describe_instance_types", "InstanceTypes"),
        ("describe_instance_type_offerings", "InstanceTypeOfferings"),
    ):
        setattr(InstanceResponse, method, paged(getattr(InstanceResponse, method), key))
