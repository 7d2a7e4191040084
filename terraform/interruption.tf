# Notices of what is going to happen to instances: EventBridge puts them into a queue that Cooper reads.

locals {
  # What AWS calls them, in EventBridge's words.
  notices = var.create_interruption_queue ? {
    spot_interruption = { source = "aws.ec2", detail_type = "EC2 Spot Instance Interruption Warning" }
    rebalance         = { source = "aws.ec2", detail_type = "EC2 Instance Rebalance Recommendation" }
    state_change      = { source = "aws.ec2", detail_type = "EC2 Instance State-change Notification" }
    scheduled_change  = { source = "aws.health", detail_type = "AWS Health Event" }
  } : {}
}

resource "aws_sqs_queue" "interruption" {
  count = var.create_interruption_queue ? 1 : 0

  name = local.queue_name
  # A notice older than this tells of an instance that is long gone.
  message_retention_seconds = 300
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

data "aws_iam_policy_document" "interruption_queue" {
  count = var.create_interruption_queue ? 1 : 0

  statement {
    sid       = "Notices"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.interruption[0].arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [for rule in aws_cloudwatch_event_rule.notice : rule.arn]
    }
  }

  statement {
    sid       = "OnlyEncrypted"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [aws_sqs_queue.interruption[0].arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sqs_queue_policy" "interruption" {
  count = var.create_interruption_queue ? 1 : 0

  queue_url = aws_sqs_queue.interruption[0].url
  policy    = data.aws_iam_policy_document.interruption_queue[0].json
}

resource "aws_cloudwatch_event_rule" "notice" {
  for_each = local.notices

  name          = "cooper-${var.cluster_name}-${replace(each.key, "_", "-")}"
  description   = "${each.value.detail_type}, for Cooper on ${var.cluster_name}"
  event_pattern = jsonencode({ source = [each.value.source], detail-type = [each.value.detail_type] })
  tags          = var.tags

  lifecycle {
    precondition {
      condition     = length("cooper-${var.cluster_name}-${replace(each.key, "_", "-")}") <= 64
      error_message = "Names of EventBridge rules have at most 64 characters: the cluster's name is too long for them."
    }
  }
}

resource "aws_cloudwatch_event_target" "notice" {
  for_each = local.notices

  rule      = aws_cloudwatch_event_rule.notice[each.key].name
  target_id = "cooper"
  arn       = aws_sqs_queue.interruption[0].arn
}
