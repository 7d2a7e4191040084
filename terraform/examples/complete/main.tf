# A whole cluster: network, EKS with one small node for Cooper itself, and what the elastic-nginx story needs around it.

provider "aws" {
  region = var.region
}

data "aws_availability_zones" "available" {
  # checkov:skip=CKV_AWS_394: an example for any region; name the zones of a cluster that is to stay as it is
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  zones       = slice(data.aws_availability_zones.available.names, 0, 3)
  cluster_tag = "kubernetes.io/cluster/${var.cluster_name}"
}

module "vpc" {
  # checkov:skip=CKV_TF_1: modules of the registry are named by version; commit hashes are for modules from git
  source  = "terraform-aws-modules/vpc/aws"
  version = "~> 6.0"

  name = var.cluster_name
  cidr = "10.0.0.0/16"
  azs  = local.zones

  private_subnets = ["10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"]
  public_subnets  = ["10.0.101.0/24", "10.0.102.0/24", "10.0.103.0/24"]

  enable_nat_gateway = true
  single_nat_gateway = true

  # Provisioners find their subnets by this tag.
  private_subnet_tags = {
    (local.cluster_tag)               = "owned"
    "kubernetes.io/role/internal-elb" = "1"
  }
  public_subnet_tags = {
    "kubernetes.io/role/elb" = "1"
  }
}

module "eks" {
  # checkov:skip=CKV_TF_1: modules of the registry are named by version; commit hashes are for modules from git
  source  = "terraform-aws-modules/eks/aws"
  version = "~> 21.0"

  name               = var.cluster_name
  kubernetes_version = var.kubernetes_version

  endpoint_public_access                   = true
  enable_cluster_creator_admin_permissions = true
  enable_irsa                              = true

  vpc_id     = module.vpc.vpc_id
  subnet_ids = module.vpc.private_subnets

  addons = {
    vpc-cni                = { before_compute = true }
    kube-proxy             = {}
    coredns                = {}
    eks-pod-identity-agent = { before_compute = true }
  }

  # Only there to run Cooper and what the cluster itself needs: everything else gets nodes from Cooper.
  eks_managed_node_groups = {
    base = {
      instance_types = ["t3a.medium"]
      min_size       = 1
      max_size       = 1
      desired_size   = 1
    }
  }

  # The group of all nodes, found by Provisioners like the subnets.
  node_security_group_tags = {
    (local.cluster_tag) = "owned"
  }
}

module "cooper" {
  source = "../.."

  cluster_name                    = module.eks.cluster_name
  oidc_provider_arn               = module.eks.oidc_provider_arn
  create_pod_identity_association = true
  create_interruption_queue       = true
}

provider "helm" {
  kubernetes = {
    host                   = module.eks.cluster_endpoint
    cluster_ca_certificate = base64decode(module.eks.cluster_certificate_authority_data)

    exec = {
      api_version = "client.authentication.k8s.io/v1"
      command     = "aws"
      args        = ["eks", "get-token", "--cluster-name", module.eks.cluster_name, "--region", var.region]
    }
  }
}

resource "helm_release" "karpenter" {
  name             = "karpenter"
  namespace        = "karpenter"
  create_namespace = true
  chart            = "${path.module}/../../../charts/cooper"

  values = [yamlencode({
    clusterName     = module.eks.cluster_name
    clusterEndpoint = module.eks.cluster_endpoint
    aws = {
      defaultInstanceProfile = module.cooper.instance_profile_name
      region                 = var.region
    }
    serviceAccount = {
      annotations = { "eks.amazonaws.com/role-arn" = module.cooper.controller_role_arn }
    }
    settings = { interruptionQueue = module.cooper.interruption_queue_name }
    controller = {
      image = { repository = var.image_repository, tag = var.image_tag }
    }
  })]

  depends_on = [module.cooper]
}

resource "helm_release" "prometheus" {
  name             = "prometheus"
  namespace        = "monitoring"
  create_namespace = true
  repository       = "https://prometheus-community.github.io/helm-charts"
  chart            = "kube-prometheus-stack"

  # Its pods get nodes from Cooper once a Provisioner is there: there is nothing to wait for until then.
  wait       = false
  depends_on = [helm_release.karpenter]
}

resource "helm_release" "istio_base" {
  name             = "istio-base"
  namespace        = "istio-system"
  create_namespace = true
  repository       = "https://istio-release.storage.googleapis.com/charts"
  chart            = "base"
}

resource "helm_release" "istiod" {
  name       = "istiod"
  namespace  = "istio-system"
  repository = "https://istio-release.storage.googleapis.com/charts"
  chart      = "istiod"
  wait       = false
  depends_on = [helm_release.istio_base]
}

resource "helm_release" "istio_ingress" {
  name       = "istio-ingressgateway"
  namespace  = "istio-system"
  repository = "https://istio-release.storage.googleapis.com/charts"
  chart      = "gateway"
  wait       = false
  depends_on = [helm_release.istiod]
}

resource "helm_release" "keda" {
  name             = "keda"
  namespace        = "keda"
  create_namespace = true
  repository       = "https://kedacore.github.io/charts"
  chart            = "keda"
  wait             = false
  depends_on       = [helm_release.karpenter]
}
