"""What puts the service on a machine: the installation and the development broker. Nothing in `stream` imports it."""
