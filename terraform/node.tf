# The role of the nodes, and how they get into the cluster.

data "aws_iam_policy_document" "assume_node" {
  count = var.create_node_role ? 1 : 0

  statement {
    sid     = "Nodes"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "node" {
  count = var.create_node_role ? 1 : 0

  name                 = coalesce(var.node_role_name, "KarpenterNodeRole-${var.cluster_name}")
  description          = "Nodes that Cooper launches for EKS cluster ${var.cluster_name}"
  assume_role_policy   = data.aws_iam_policy_document.assume_node[0].json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

locals {
  # What a node needs to join, to get its pods' addresses and images, and to be reached without SSH.
  node_policies = merge(
    {
      worker   = "arn:${local.partition}:iam::aws:policy/AmazonEKSWorkerNodePolicy"
      cni      = "arn:${local.partition}:iam::aws:policy/AmazonEKS_CNI_Policy"
      registry = "arn:${local.partition}:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
      session  = "arn:${local.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
    },
    var.node_policy_arns,
  )
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each = var.create_node_role ? local.node_policies : {}

  role       = aws_iam_role.node[0].name
  policy_arn = each.value
}

resource "aws_iam_instance_profile" "node" {
  count = var.create_node_role ? 1 : 0

  name = local.instance_profile_name
  role = aws_iam_role.node[0].name
  tags = var.tags
}

resource "aws_eks_access_entry" "node" {
  count = var.create_access_entry ? 1 : 0

  cluster_name  = var.cluster_name
  principal_arn = local.node_role_arn
  type          = "EC2_LINUX"
  tags          = var.tags
}
