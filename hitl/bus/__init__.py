"""ZeroMQ and nothing else: one hub binds (backend), links connect (window, `hitl say`, robots).

Stream messages may be dropped and the newest wins; requests are durable and delivered once; stop has its own socket.
"""

from hitl.bus.endpoints import Endpoints
from hitl.bus.hub import Hub
from hitl.bus.keys import ClientKeys, ServerKeys, create_keys
from hitl.bus.link import Link
from hitl.bus.outbox import Outbox
from hitl.bus.transport import Received

__all__ = ["ClientKeys", "Endpoints", "Hub", "Link", "Outbox", "Received", "ServerKeys", "create_keys"]
