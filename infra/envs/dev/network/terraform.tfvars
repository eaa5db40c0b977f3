environment = "dev"
project_id  = "example-dev"
region      = "europe-west1"

ip_cidr_range = "10.10.0.0/20"
flow_sampling = 0.1
