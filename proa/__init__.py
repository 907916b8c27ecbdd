"""The vocabulary every part of Proa shares: names, identities, configuration, errors, the clock."""
