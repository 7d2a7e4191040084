# The role that Cooper runs under, and who may assume it.

locals {
  oidc_issuer = var.oidc_provider_arn == null ? null : replace(var.oidc_provider_arn, "/^.*oidc-provider//", "")
}

data "aws_iam_policy_document" "assume" {
  dynamic "statement" {
    for_each = var.oidc_provider_arn == null ? [] : [local.oidc_issuer]

    content {
      sid     = "Irsa"
      actions = ["sts:AssumeRoleWithWebIdentity"]

      principals {
        type        = "Federated"
        identifiers = [var.oidc_provider_arn]
      }

      condition {
        test     = "StringEquals"
        variable = "${statement.value}:sub"
        values   = ["system:serviceaccount:${var.namespace}:${var.service_account}"]
      }

      condition {
        test     = "StringEquals"
        variable = "${statement.value}:aud"
        values   = ["sts.amazonaws.com"]
      }
    }
  }

  # EKS names the cluster and the ServiceAccount in session tags: no other pod gets this role.
  dynamic "statement" {
    for_each = var.create_pod_identity_association || var.oidc_provider_arn == null ? [1] : []

    content {
      sid     = "PodIdentity"
      actions = ["sts:AssumeRole", "sts:TagSession"]

      principals {
        type        = "Service"
        identifiers = ["pods.eks.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account_id]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = ["arn:${local.partition}:eks:${local.region}:${local.account_id}:cluster/${var.cluster_name}"]
      }
    }
  }
}

resource "aws_iam_role" "controller" {
  name                 = coalesce(var.controller_role_name, "karpenter-controller-${var.cluster_name}")
  description          = "Cooper, the node autoprovisioner of EKS cluster ${var.cluster_name}"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "controller" {
  for_each = local.controller_policies

  name   = each.key
  role   = aws_iam_role.controller.id
  policy = each.value
}

resource "aws_eks_pod_identity_association" "controller" {
  count = var.create_pod_identity_association ? 1 : 0

  cluster_name    = var.cluster_name
  namespace       = var.namespace
  service_account = var.service_account
  role_arn        = aws_iam_role.controller.arn
  tags            = var.tags
}
