"""The ground a cluster stands on before Cooper comes: VPC, subnets, security group, node role and profile."""

import json

from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends

from state import ACCOUNT

TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},'
    '"Action":"sts:AssumeRole"}]}'
)


def lay(request):
    """Takes {cluster, region, zones, instanceProfile}; gives the ids. Tags are those that EKS asks of subnets and
    groups: "View Amazon EKS networking requirements for VPC and subnets",
    https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html"""
    cluster, region = request["cluster"], request["region"]
    backend = ec2_backends[ACCOUNT][region]
    owned = {f"kubernetes.io/cluster/{cluster}": "owned"}
    vpc = backend.create_vpc("10.0.0.0/16")
    backend.create_tags([vpc.id], {**owned, "Name": cluster})
    subnets = []
    for index, zone in enumerate(request["zones"]):
        subnet = backend.create_subnet(vpc.id, f"10.0.{32 * index}.0/19", availability_zone=zone)
        backend.create_tags([subnet.id], {**owned, "Name": f"{cluster}-{zone}"})
        subnets.append({"id": subnet.id, "zone": zone})
    group = backend.create_security_group(f"{cluster}-node", "nodes of the cluster", vpc_id=vpc.id)
    backend.create_tags([group.id], owned)
    return {
        "vpcId": vpc.id,
        "subnets": subnets,
        "securityGroupId": group.id,
        "instanceProfile": node_profile(request["instanceProfile"]),
    }


def node_profile(name):
    iam = iam_backends[ACCOUNT]["aws"]
    if name not in iam.instance_profiles and all(p.name != name for p in iam.instance_profiles.values()):
        role = iam.create_role(f"{name}-role", TRUST, "/", None, "node role", [], "3600")
        iam.create_instance_profile(name, "/", [role.name])
    return name


def user(request):
    """An IAM user with an access key and one policy: {name, allow, deny} with actions."""
    iam = iam_backends[ACCOUNT]["aws"]
    name = request["name"]
    iam.create_user("us-east-1", name)
    statements = [
        {"Effect": effect, "Action": actions, "Resource": "*"}
        for effect, actions in (("Allow", request["allow"]), ("Deny", request["deny"]))
        if actions
    ]
    iam.put_user_policy(name, "own", json.dumps({"Version": "2012-10-17", "Statement": statements}))
    key = iam.create_access_key(name)
    return {"accessKeyId": key.access_key_id, "secretAccessKey": key.secret_access_key}
