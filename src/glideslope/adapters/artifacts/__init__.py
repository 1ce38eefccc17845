"""Where versions' content is kept."""
