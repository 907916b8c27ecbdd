"""What of a pod's traffic goes to its proxy, as one value: what `proa-init` applies and the webhook admits."""
