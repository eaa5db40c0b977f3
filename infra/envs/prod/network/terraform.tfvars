environment = "prod"
project_id  = "example-prod"
region      = "europe-west1"

ip_cidr_range = "10.30.0.0/20"
flow_sampling = 0.5
