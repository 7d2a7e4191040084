variable "cluster_name" {
  description = "Name of the EKS cluster. Instances, fleets and launch templates carry it in their tags, and the policies hold to that."
  type        = string

  validation {
    condition     = can(regex("^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$", var.cluster_name))
    error_message = "An EKS cluster's name has 1 to 100 letters, digits, hyphens and underscores."
  }
}

variable "tags" {
  description = "Tags of everything that this module makes."
  type        = map(string)
  default     = {}
}

# Controller role

variable "controller_role_name" {
  description = "Name of the controller's role. Default: karpenter-controller-<cluster>."
  type        = string
  default     = null
}

variable "namespace" {
  description = "Namespace that the chart is installed into."
  type        = string
  default     = "karpenter"
}

variable "service_account" {
  description = "ServiceAccount of the controller: the chart names it after the release."
  type        = string
  default     = "karpenter"
}

variable "oidc_provider_arn" {
  description = "ARN of the cluster's OIDC provider, for IRSA. Without it only Pod Identity can assume the role."
  type        = string
  default     = null
}

variable "create_pod_identity_association" {
  description = "Tie the role to the ServiceAccount by EKS Pod Identity; the cluster needs the add-on eks-pod-identity-agent."
  type        = bool
  default     = false
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of both roles."
  type        = string
  default     = null
}

variable "image_owners" {
  description = "Whose images may be launched beside this account's own: Amazon (AL2, AL2023, Bottlerocket, Windows) and Canonical (Ubuntu). Null: anybody's."
  type        = list(string)
  default     = ["amazon", "099720109477"]
}

# Node role

variable "create_node_role" {
  description = "Make a role and an instance profile for nodes. Otherwise name an existing role in node_role_arn."
  type        = bool
  default     = true
}

variable "node_role_name" {
  description = "Name of the node role. Default: KarpenterNodeRole-<cluster>."
  type        = string
  default     = null
}

variable "node_role_arn" {
  description = "ARN of an existing role of the nodes' instance profile; used when create_node_role is false."
  type        = string
  default     = null

  validation {
    condition     = var.create_node_role || var.node_role_arn != null
    error_message = "Set node_role_arn, or let create_node_role make a role."
  }
}

variable "instance_profile_name" {
  description = "Name of the instance profile. Default: KarpenterNodeInstanceProfile-<cluster>."
  type        = string
  default     = null
}

variable "node_policy_arns" {
  description = "More policies for the node role, by a name of your choice."
  type        = map(string)
  default     = {}
}

variable "create_access_entry" {
  description = "Let nodes join by an EKS access entry. Not for clusters that still use the aws-auth ConfigMap alone."
  type        = bool
  default     = true
}

# Interruptions

variable "create_interruption_queue" {
  description = "Make an SQS queue and the EventBridge rules that fill it. Without it Cooper asks EC2 itself, which costs nothing and tells a little later."
  type        = bool
  default     = false
}

variable "interruption_queue_name" {
  description = "Name of the queue. Default: the cluster's name."
  type        = string
  default     = null
}
