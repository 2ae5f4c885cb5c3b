"""Records the PROXY protocol, version 1, before HTTP: curl, haproxy and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FETCHED, behind_haproxy

behind_haproxy("send-proxy").keep(__file__, FETCHED)
