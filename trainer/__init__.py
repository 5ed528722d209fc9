"""The LLaMA trainer: FSDP over packed shards."""
