"""The mutating admission webhook: review, decide, plan and patch, and the server around them."""
