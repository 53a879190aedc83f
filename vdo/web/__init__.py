"""The web page and the REST API: a view on the service, like the command line."""
