"""What a bundle is worth: cells and counts, whole path, neighbours, the report page."""
