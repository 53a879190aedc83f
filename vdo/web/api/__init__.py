"""The REST API: JSON documents of the service's views, problem documents for everything else."""
