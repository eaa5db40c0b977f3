terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
variable "token" {
  sensitive = true
  default   = "s3cr3t-token"
}
variable "tags" {
  type    = map(string)
  default = { team = "a", cost = 5 }
}
variable "names" {
  type    = set(string)
  default = ["b", "a", "b"]
}
resource "aws_sqs_queue" "jobs" {
  for_each = var.names
  name     = each.key
  tags     = merge(var.tags, { log = aws_cloudwatch_log_group.logs.arn })
}
resource "aws_cloudwatch_log_group" "logs" {
  name = "logs"
  tags = { token = var.token }
}
resource "aws_security_group" "a" {
  name = "a"
  ingress {
    from_port   = 80
    to_port     = 80
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/8", "192.168.0.0/16"]
  }
  ingress {
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/8"]
    description = var.token
  }
}
resource "aws_db_instance" "db" {
  instance_class      = "db.t3.micro"
  allocated_storage   = 10
  engine              = "postgres"
  username            = "u"
  password            = "hunter2hunter2"
  skip_final_snapshot = true
}
resource "aws_mq_broker" "mq" {
  broker_name        = "mq"
  engine_type        = "ActiveMQ"
  engine_version     = "5.18"
  host_instance_type = "mq.t3.micro"
  user {
    username = "one"
    password = "hunter2hunter2"
  }
  user {
    username = aws_security_group.a.id
    password = "hunter3hunter3"
  }
}
resource "aws_kinesis_firehose_delivery_stream" "s" {
  name        = "s"
  destination = "splunk"
  splunk_configuration {
    hec_endpoint = "https://x.example"
    hec_token    = "11111111-2222-3333-4444-555555555555"
    s3_configuration {
      role_arn   = "arn:aws:iam::123456789012:role/x"
      bucket_arn = "arn:aws:s3:::b"
    }
  }
}
resource "aws_dms_endpoint" "e" {
  endpoint_id   = "ep"
  endpoint_type = "source"
  engine_name   = "kafka"
  password      = var.token
  kafka_settings {
    broker        = "b:1"
    sasl_password = "hunter4hunter4"
    sasl_username = "x"
  }
}
resource "aws_lambda_function" "f" {
  function_name = "f"
  role          = "arn:aws:iam::123456789012:role/x"
  filename      = "main.tf"
  handler       = "x"
  runtime       = "python3.12"
  environment {
    variables = { TOKEN = var.token, Q = aws_sqs_queue.jobs["a"].url }
  }
  timeout = 0.0 + 3
}
resource "aws_ssm_parameter" "p" {
  name  = "p"
  type  = "SecureString"
  value = "hunter5hunter5"
}
resource "aws_cloudwatch_metric_alarm" "m" {
  alarm_name          = "m"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 2
  threshold           = 0.1
  metric_name         = "x"
  namespace           = "y"
  period              = 60
  statistic           = "Average"
}
data "aws_iam_policy_document" "d" {
  statement {
    actions   = ["s3:Get*"]
    resources = ["*", var.token]
  }
}
data "aws_iam_policy_document" "later" {
  statement {
    actions   = ["s3:Get*"]
    resources = [aws_sqs_queue.jobs["a"].arn]
  }
}
resource "aws_vpc_security_group_ingress_rule" "r" {
  security_group_id = aws_security_group.a.id
  cidr_ipv4         = "10.0.0.0/8"
  ip_protocol       = "-1"
}
resource "aws_elasticache_user" "u" {
  user_id       = "u"
  user_name     = "u"
  access_string = "on ~* +@all"
  engine        = "redis"
  passwords     = ["hunter6hunter6hunter6"]
}
output "d" {
  value     = data.aws_iam_policy_document.d.json
  sensitive = true
}
output "q" { value = { for k, q in aws_sqs_queue.jobs : k => q.url } }
