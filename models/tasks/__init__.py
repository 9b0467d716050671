"""One file a task: its data, its labels, its metric."""
