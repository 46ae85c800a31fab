# SPDX-License-Identifier: Apache-2.0
"""A FIX 4.4 client in the standard library that trades through a gateway: ``python fix_client.py HOST PORT SYMBOL QUANTITY PRICE``."""

import re
import socket
import sys
import time


class Client:
    """One session, numbers from 1."""

    def __init__(self, host: str, port: int, sender: str = "EMS", target: str = "PRETRADE") -> None:
        self._socket = socket.create_connection((host, port), 10)
        self._names, self._number, self._rest = (sender, target), 0, b""
        self.send("A", (98, 0), (108, 30), (141, "Y"))
        self.await_type("A")

    def send(self, msg_type: str, *fields: tuple[int, object]) -> None:
        """Send a message; header, length and checksum are added."""
        self._number += 1
        head = ((35, msg_type), (34, self._number), (49, self._names[0]), (52, now()), (56, self._names[1]))
        body = "".join(f"{tag}={value}\x01" for tag, value in (*head, *fields))
        text = f"8=FIX.4.4\x019={len(body)}\x01{body}"
        self._socket.sendall(f"{text}10={sum(text.encode()) % 256:03d}\x01".encode())

    def await_type(self, msg_type: str) -> dict[str, str]:
        """The next message of a type; test requests are answered meanwhile."""
        while True:
            while not (found := re.match(rb"8=FIX.*?\x0110=\d{3}\x01", self._rest, re.DOTALL)):
                got = self._socket.recv(65536)
                if not got:
                    raise ConnectionError(f"the gateway closed the session before it sent 35={msg_type}")
                self._rest += got
            self._rest = self._rest[found.end() :]
            message = dict(field.split("=", 1) for field in found[0].decode().split("\x01") if field)
            if message["35"] == "1":
                self.send("0", (112, message["112"]))
            if message["35"] == msg_type:
                return message


def now() -> str:
    """The present as UTCTimestamp."""
    return time.strftime("%Y%m%d-%H:%M:%S", time.gmtime()) + ".000"


if __name__ == "__main__":
    if len(sys.argv) == 1:
        print(__doc__)
        sys.exit()
    host, port, symbol, quantity, price = sys.argv[1:]
    client = Client(host, int(port))
    order = [(1, "ACC1"), (11, time.time_ns()), (38, quantity), (40, 2), (44, price), (54, 1), (55, symbol), (59, 0), (60, now())]
    client.send("D", *order)
    answer = client.await_type("8")
    print(answer["39"], answer.get("58", ""), answer.get("8011", ""))
    client.send("5")
