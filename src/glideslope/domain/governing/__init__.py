"""Who decides, on what: the organisation, agreements, approvals and permits, as rules over values."""
