"""Records a WebSocket that echoes text and binary, with a ping: Python's websockets."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import ECHOED, echoed_by_websocket

echoed_by_websocket(None, 3000).keep(__file__, ECHOED)
