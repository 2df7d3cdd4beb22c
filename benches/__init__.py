"""The asv suite: `make asv` runs it over commits. Its bars stand in goals.toml."""
