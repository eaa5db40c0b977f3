environment = "staging"
project_id  = "example-staging"
region      = "europe-west1"

ip_cidr_range = "10.20.0.0/20"
flow_sampling = 0.1
