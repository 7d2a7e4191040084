# Stands in for the registry's EKS module in the example: what others take from it, and the nodes' security group.

variable "name" { type = string }
variable "kubernetes_version" { type = string }
variable "endpoint_public_access" { type = bool }
variable "enable_cluster_creator_admin_permissions" { type = bool }
variable "enable_irsa" { type = bool }
variable "vpc_id" { type = string }
variable "subnet_ids" { type = list(string) }
variable "addons" { type = any }
variable "eks_managed_node_groups" { type = any }
variable "node_security_group_tags" { type = map(string) }

resource "aws_security_group" "node" {
  name   = "${var.name}-node"
  vpc_id = var.vpc_id
  tags   = var.node_security_group_tags
}

output "cluster_name" { value = var.name }
output "cluster_endpoint" { value = "https://ABC.gr7.us-east-1.eks.amazonaws.com" }
output "cluster_certificate_authority_data" { value = base64encode("a certificate") }
output "oidc_provider_arn" {
  value = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/ABC"
}
