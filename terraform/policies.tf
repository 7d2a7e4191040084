# What Cooper may do in the account, in four policies: look, launch, end, and read the queue. Everything that it makes
# carries the cluster's tag from its first moment, and it may only end what carries that tag.

locals {
  cluster_tag = "kubernetes.io/cluster/${var.cluster_name}"
  ec2_arn     = "arn:${local.partition}:ec2:${local.region}"

  controller_policies = merge(
    {
      read      = data.aws_iam_policy_document.read.json
      launch    = data.aws_iam_policy_document.launch.json
      terminate = data.aws_iam_policy_document.terminate.json
    },
    var.create_interruption_queue ? { queue = data.aws_iam_policy_document.queue[0].json } : {},
  )
}

data "aws_iam_policy_document" "read" {
  # None of these can be tied to a resource; the region is all that can be asked for.
  statement {
    sid = "Describe"
    actions = [
      "ec2:DescribeCapacityReservations",
      "ec2:DescribeImages",
      "ec2:DescribeInstanceStatus",
      "ec2:DescribeInstanceTypeOfferings",
      "ec2:DescribeInstanceTypes",
      "ec2:DescribeInstances",
      "ec2:DescribeLaunchTemplates",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSpotInstanceRequests",
      "ec2:DescribeSpotPriceHistory",
      "ec2:DescribeSubnets",
    ]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [local.region]
    }
  }

  # What an own instance says of its boot, for the event of one that never became a Node.
  statement {
    sid       = "ReadOwnConsoles"
    actions   = ["ec2:GetConsoleOutput"]
    resources = ["${local.ec2_arn}:*:instance/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/${local.cluster_tag}"
      values   = ["owned"]
    }
  }

  # Which image is current: parameters that AWS publishes, readable by everybody.
  statement {
    sid       = "CurrentImages"
    actions   = ["ssm:GetParameter"]
    resources = ["arn:${local.partition}:ssm:${local.region}::parameter/aws/service/*"]
  }
}

data "aws_iam_policy_document" "launch" {
  # A fleet launches with these, and makes none of them. EC2 makes the Spot request itself, and tags it with nothing.
  statement {
    sid     = "LaunchFromSharedResources"
    actions = ["ec2:CreateFleet", "ec2:RunInstances"]
    resources = [
      "${local.ec2_arn}:*:security-group/*",
      "${local.ec2_arn}:*:subnet/*",
      "${local.ec2_arn}:*:capacity-reservation/*",
      "${local.ec2_arn}:*:spot-instances-request/*",
      "${local.ec2_arn}::snapshot/*",
      "${local.ec2_arn}:*:snapshot/*",
    ]
  }

  statement {
    sid       = "LaunchFromImages"
    actions   = ["ec2:CreateFleet", "ec2:RunInstances"]
    resources = ["${local.ec2_arn}::image/*"]

    dynamic "condition" {
      for_each = var.image_owners == null ? [] : [var.image_owners]

      content {
        test     = "StringEquals"
        variable = "ec2:Owner"
        values   = concat([local.account_id], condition.value)
      }
    }
  }

  statement {
    sid       = "LaunchFromOwnTemplates"
    actions   = ["ec2:CreateFleet", "ec2:RunInstances"]
    resources = ["${local.ec2_arn}:*:launch-template/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/${local.cluster_tag}"
      values   = ["owned"]
    }

    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/karpenter.sh/provisioner-name"
      values   = ["*"]
    }
  }

  # What comes into being carries the cluster's tag and its Provisioner's, or does not come into being.
  statement {
    sid     = "MakeWithTags"
    actions = ["ec2:CreateFleet", "ec2:CreateLaunchTemplate", "ec2:RunInstances"]
    resources = [
      "${local.ec2_arn}:*:fleet/*",
      "${local.ec2_arn}:*:instance/*",
      "${local.ec2_arn}:*:launch-template/*",
      "${local.ec2_arn}:*:network-interface/*",
      "${local.ec2_arn}:*:volume/*",
    ]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/${local.cluster_tag}"
      values   = ["owned"]
    }

    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/karpenter.sh/provisioner-name"
      values   = ["*"]
    }
  }

  # Tags can be set while something is made: nobody's instance can be made Cooper's.
  statement {
    sid     = "TagWhatIsMade"
    actions = ["ec2:CreateTags"]
    resources = [
      "${local.ec2_arn}:*:fleet/*",
      "${local.ec2_arn}:*:instance/*",
      "${local.ec2_arn}:*:launch-template/*",
      "${local.ec2_arn}:*:network-interface/*",
      "${local.ec2_arn}:*:volume/*",
    ]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/${local.cluster_tag}"
      values   = ["owned"]
    }

    condition {
      test     = "StringEquals"
      variable = "ec2:CreateAction"
      values   = ["CreateFleet", "CreateLaunchTemplate", "RunInstances"]
    }
  }

  # Instances of a shared fleet are named after their NodeClaims once each has its own.
  statement {
    sid       = "NameOwnInstances"
    actions   = ["ec2:CreateTags"]
    resources = ["${local.ec2_arn}:*:instance/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/${local.cluster_tag}"
      values   = ["owned"]
    }

    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/karpenter.sh/provisioner-name"
      values   = ["*"]
    }

    condition {
      test     = "ForAllValues:StringEquals"
      variable = "aws:TagKeys"
      values   = ["karpenter.sh/nodeclaim", "karpenter.sh/nodeclaim-uid"]
    }
  }

  # Nodes run under the node role and no other.
  statement {
    sid       = "PassNodeRole"
    actions   = ["iam:PassRole"]
    resources = [local.node_role_arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ec2.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "terminate" {
  statement {
    sid     = "EndOwn"
    actions = ["ec2:DeleteLaunchTemplate", "ec2:TerminateInstances"]
    resources = [
      "${local.ec2_arn}:*:instance/*",
      "${local.ec2_arn}:*:launch-template/*",
    ]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/${local.cluster_tag}"
      values   = ["owned"]
    }

    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/karpenter.sh/provisioner-name"
      values   = ["*"]
    }
  }
}

data "aws_iam_policy_document" "queue" {
  count = var.create_interruption_queue ? 1 : 0

  statement {
    sid       = "ReadNotices"
    actions   = ["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"]
    resources = [aws_sqs_queue.interruption[0].arn]
  }
}
