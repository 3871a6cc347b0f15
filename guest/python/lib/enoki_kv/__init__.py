"""What `kv` and `kv.aio` are made of; functions import `kv`."""
