# The names in `targets.TARGETS`, for a program that must not import what is fuzzed before it is instrumented.
TARGETS = (
    "capture", "pipe", "frames", "segments", "streams", "http1", "http2", "tls", "hpack", "certificate",
    "key-log", "page",
)  # fmt: skip
