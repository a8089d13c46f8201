"""A static file on loopback, as cheap as it gets: the headers, and then sendfile, for every request."""

import argparse
import socket
import threading
from pathlib import Path


def main() -> None:
    """Serve one file as the answer to everything, until a signal says stop; prints its port."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    path = parser.parse_args().path
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        while True:
            accepted, _ = listening.accept()
            threading.Thread(target=_serve, args=(accepted, path), daemon=True).start()


def _serve(accepted: socket.socket, path: Path) -> None:
    size = path.stat().st_size
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {size}\r\n\r\n".encode()
    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with accepted, path.open("rb") as file:
        while asked := accepted.recv(65_536):
            while not asked.endswith(b"\r\n\r\n"):
                asked += accepted.recv(65_536)
            accepted.sendall(head, socket.MSG_MORE)
            accepted.sendfile(file)


if __name__ == "__main__":
    main()
