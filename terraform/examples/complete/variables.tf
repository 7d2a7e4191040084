variable "cluster_name" {
  description = "Name of the EKS cluster and of everything around it."
  type        = string
  default     = "chris"
}

variable "region" {
  description = "AWS region."
  type        = string
  default     = "us-east-1"
}

variable "kubernetes_version" {
  description = "Kubernetes version of the cluster."
  type        = string
  default     = "1.34"
}

variable "image_repository" {
  description = "Where the image built from this project's Dockerfile was pushed to."
  type        = string
}

variable "image_tag" {
  description = "Tag of that image."
  type        = string
  default     = "0.1.0"
}
