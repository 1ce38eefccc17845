"""Who follows traces."""
