"""NRI, the Node Resource Interface: the runtime tells of sandboxes by itself (docs/decisions/0052)."""
