"""The command line: a client of the HTTP API, and the verbs that need no server. Nothing heavy loads before a verb is chosen."""
