"""Where metrics come from that are not ours."""
