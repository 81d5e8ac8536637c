"""The language-model policy: loads, writes. Knows nothing of projects, windows or sockets."""
