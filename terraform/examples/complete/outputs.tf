output "configure_kubectl" {
  description = "Run this, then apply the manifests beside this file."
  value       = "aws eks update-kubeconfig --region ${var.region} --name ${module.eks.cluster_name}"
}

output "instance_profile_name" {
  description = "Goes into the Provisioner's provider.instanceProfile, or nowhere: the chart has it as the default."
  value       = module.cooper.instance_profile_name
}
