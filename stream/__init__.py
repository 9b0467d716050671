"""The service: live frames in, revisable captions out."""
