"""A customer of the shop: logs in and follows the redirection, all in one connection."""

from __future__ import annotations

import http.client
import sys


def buy(port: int) -> bytes:
    """What is in the cart."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("POST", "/login", "name=test", {"Content-Type": "application/x-www-form-urlencoded"})
    login = connection.getresponse()
    login.read()
    cookie = login.headers.get("Set-Cookie", "")
    connection.request("GET", login.headers.get("Location", "/cart"), headers={"Cookie": cookie})
    cart = connection.getresponse().read()
    connection.close()
    return cart


if __name__ == "__main__":
    print(buy(int(sys.argv[1])).decode(), end="")
