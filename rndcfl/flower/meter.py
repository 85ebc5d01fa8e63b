"""Counts what really goes over the wire: a relay in front of the SuperLink."""

from __future__ import annotations

import contextlib
import socket
import threading

HOST = "127.0.0.1"


class Meter:
    """Listens on `port`, hands every connection on to the SuperLink and counts its bytes.

    Attributes
    ----------
    port : for the nodes to connect to.
    up, down : bytes from the nodes and to them, all protocol included.
    """

    def __init__(self, link_port: int) -> None:
        self.link_port, self.up, self.down = link_port, 0, 0
        self._lock = threading.Lock()
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                node, _ = self._listener.accept()
            except OSError:  # closed
                return
            try:
                link = socket.create_connection((HOST, self.link_port))
            except OSError:
                node.close()
                continue
            for source, sink, direction in ((node, link, "up"), (link, node, "down")):
                pump = threading.Thread(
                    target=self._pump, args=(source, sink, direction), daemon=True
                )
                pump.start()

    def _pump(self, source: socket.socket, sink: socket.socket, direction: str) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                with self._lock:
                    setattr(self, direction, getattr(self, direction) + len(data))
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
