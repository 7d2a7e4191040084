output "controller_role_arn" {
  description = "For the chart: serviceAccount.annotations.\"eks.amazonaws.com/role-arn\"."
  value       = aws_iam_role.controller.arn
}

output "controller_role_name" {
  description = "Name of the controller's role."
  value       = aws_iam_role.controller.name
}

output "controller_policies" {
  description = "The controller's policies as JSON, by name."
  value       = local.controller_policies
}

output "node_role_arn" {
  description = "ARN of the nodes' role."
  value       = local.node_role_arn
}

output "instance_profile_name" {
  description = "For the chart: aws.defaultInstanceProfile. Null when the role is not made here."
  value       = one(aws_iam_instance_profile.node[*].name)
}

output "interruption_queue_name" {
  description = "For the chart: settings.interruptionQueue. Null without a queue."
  value       = one(aws_sqs_queue.interruption[*].name)
}
