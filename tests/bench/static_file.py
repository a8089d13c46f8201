"""A server that responds to every request with the same file: constant headers, then sendfile."""

import argparse
import socket
import threading
from pathlib import Path


def main() -> None:
    """Print the port and serve the file until a signal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    path = parser.parse_args().path
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_serve, args=(connection, path), daemon=True).start()


def _serve(connection: socket.socket, path: Path) -> None:
    size = path.stat().st_size
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {size}\r\n\r\n".encode()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, path.open("rb") as file:
        while request := connection.recv(65_536):
            while not request.endswith(b"\r\n\r\n"):
                request += connection.recv(65_536)
            connection.sendall(head, socket.MSG_MORE)
            connection.sendfile(file)


if __name__ == "__main__":
    main()
