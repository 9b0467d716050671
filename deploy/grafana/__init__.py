"""The dashboard of the service, as code; `python -m deploy.grafana` writes it as the JSON that Grafana is provisioned with."""
