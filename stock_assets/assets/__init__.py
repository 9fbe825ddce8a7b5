"""The lineage: one file per asset, thin, each body a sentence in domain words."""
