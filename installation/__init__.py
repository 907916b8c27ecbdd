"""What an admin applies: every object of an installation as data, and the commands that put it into a cluster."""
