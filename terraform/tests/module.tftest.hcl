# What the module makes and refuses, without an account: run `terraform test` in terraform/.

mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { region = "us-east-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/mocked" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = {
      arn = "arn:aws:sqs:us-east-1:111122223333:chris"
      url = "https://sqs.us-east-1.amazonaws.com/111122223333/chris"
    }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:us-east-1:111122223333:rule/mocked" }
  }
}

variables {
  cluster_name      = "chris"
  oidc_provider_arn = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/ABCDEF"
}

run "names_of_the_story" {
  command = apply

  assert {
    condition     = aws_iam_role.controller.name == "karpenter-controller-chris"
    error_message = "The controller's role is not named after the cluster."
  }
  assert {
    condition     = output.instance_profile_name == "KarpenterNodeInstanceProfile-chris"
    error_message = "The instance profile is not named after the cluster."
  }
  assert {
    condition     = length(aws_iam_role_policy.controller) == 3
    error_message = "Without a queue there are three policies."
  }
  assert {
    condition     = output.interruption_queue_name == null
    error_message = "A queue was made that nobody asked for."
  }
  assert {
    condition     = length(aws_eks_pod_identity_association.controller) == 0
    error_message = "An association was made that nobody asked for."
  }
  assert {
    condition     = local.oidc_issuer == "oidc.eks.us-east-1.amazonaws.com/id/ABCDEF"
    error_message = "The issuer is not what the trust policy's conditions need."
  }
}

run "queue_and_rules" {
  command = apply

  variables {
    create_interruption_queue = true
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.notice) == 4 && length(aws_cloudwatch_event_target.notice) == 4
    error_message = "Four kinds of notices go into the queue."
  }
  assert {
    condition     = aws_sqs_queue.interruption[0].sqs_managed_sse_enabled
    error_message = "The queue is not encrypted."
  }
  assert {
    condition     = contains(keys(output.controller_policies), "queue")
    error_message = "The controller may not read its queue."
  }
}

run "pod_identity" {
  command = apply

  variables {
    oidc_provider_arn               = null
    create_pod_identity_association = true
  }

  assert {
    condition     = aws_eks_pod_identity_association.controller[0].service_account == "karpenter"
    error_message = "The association is for another ServiceAccount than the chart's."
  }
}

run "existing_node_role" {
  command = apply

  variables {
    create_node_role = false
    node_role_arn    = "arn:aws:iam::111122223333:role/mine"
  }

  assert {
    condition     = length(aws_iam_role.node) == 0 && output.node_role_arn == "arn:aws:iam::111122223333:role/mine"
    error_message = "The existing role is not used."
  }
  assert {
    condition     = aws_eks_access_entry.node[0].principal_arn == "arn:aws:iam::111122223333:role/mine"
    error_message = "Nodes of the existing role may not join."
  }
}

run "a_node_role_is_needed" {
  command = plan

  variables {
    create_node_role = false
  }

  expect_failures = [var.node_role_arn]
}

run "cluster_names_are_checked" {
  command = plan

  variables {
    cluster_name = "no spaces"
  }

  expect_failures = [var.cluster_name]
}
