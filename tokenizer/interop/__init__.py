"""Packed tokens in the formats of others: Megatron, datatrove, and rows for Hugging Face datasets. docs/tokens.md."""
