"""Sends messages to programs and people: webhooks, Slack, Teams, PagerDuty, e-mail, and by an extra whatever apprise reaches."""
