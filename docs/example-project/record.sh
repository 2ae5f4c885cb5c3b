#!/bin/sh
# Records traffic/login/capture.pcap: the shop and a customer on this machine. Run as root, or as somebody who may
# capture.
set -eu
cd "$(dirname "$0")"
tcpdump -i lo --immediate-mode -U -w - 'tcp port 8080' > traffic/login/capture.pcap 2> /dev/null &
tcpdump=$!
python3 shop.py 8080 &
shop=$!
trap 'kill $shop' EXIT
sleep 1
python3 client.py 8080
sleep 1
kill -INT $tcpdump
wait $tcpdump
