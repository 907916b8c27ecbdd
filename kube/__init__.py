"""The only package that talks to the API server: client, list-and-watch, leader election, server-side apply."""
