"""Commands about networks rather than notebooks: `arch`, `latency`, `export`, `predict`, `fit`."""
