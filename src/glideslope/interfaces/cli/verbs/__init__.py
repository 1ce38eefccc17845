"""One module per verb, each loaded when its verb is chosen; its click command is called `command`."""
