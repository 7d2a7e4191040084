data "aws_partition" "this" {}
data "aws_region" "this" {}
data "aws_caller_identity" "this" {}

locals {
  partition  = data.aws_partition.this.partition
  account_id = data.aws_caller_identity.this.account_id
  region     = data.aws_region.this.region

  node_role_arn         = var.create_node_role ? aws_iam_role.node[0].arn : var.node_role_arn
  queue_name            = coalesce(var.interruption_queue_name, var.cluster_name)
  instance_profile_name = coalesce(var.instance_profile_name, "KarpenterNodeInstanceProfile-${var.cluster_name}")
}
