"""A large TLS transfer, read without keys and with them, beside tcptrace, argus and tshark, and beside OpenSSL's speed.

    python bench/tls.py [--rounds 5] [--megabytes 300]

curl downloads a file from nginx, TLS 1.3 with AES-128-GCM, in network namespaces: recorded once, as root, into
bench/out. Megabytes decrypted are those of the file.
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from run import HERE, OURS, Contender, contenders, race, report

WITH_KEYS = f"{OURS} --keys"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=300, help="size of the file that is downloaded")
    parser.add_argument("--record", action="store_true", help="only record the transfer")
    options = parser.parse_args()

    file = HERE / "out" / f"tls-{options.megabytes}.pcap"
    keys = file.with_suffix(".log")
    if options.record:
        record(file, keys, options.megabytes)
        return
    if not keys.exists():  # in a process of its own, since a child begins its life with its parent's memory counted
        subprocess.run([sys.executable, __file__, "--record", "--megabytes", str(options.megabytes)], check=True)
    analyzer = shlex.quote(str(Path(sys.executable).with_name("analyzer")))
    log = shlex.quote(str(keys))
    everyone = [
        *contenders(),
        Contender(WITH_KEYS, f"{analyzer} read --format jsonl --keys {log} {{file}} > /dev/null"),
        Contender(
            "tshark with the keys",
            f"tshark -n -q -o tls.keylog_file:{log} -r {{file}} -z conv,tcp > /dev/null",
            ("tshark",),
        ),
    ]
    taking_part = [contender for contender in everyone if not contender.missing]
    race(taking_part, file, options.rounds)
    print(report(everyone, taking_part, file, options.rounds))
    without, opened = (
        statistics.median(contender.seconds)
        for name in (OURS, WITH_KEYS)
        for contender in everyone
        if contender.name == name
    )
    print(f"\nDecrypted: {options.megabytes / opened:,.0f} MB/s of the whole run,", end=" ")
    print(f"{options.megabytes / max(opened - without, 0.001):,.0f} MB/s of what decryption adds to it.")
    print(f"OpenSSL alone, AES-128-GCM in pieces of 16,384 bytes: {openssl():,.0f} MB/s.")
    if failed := [contender.name for contender in taking_part if contender.failed]:
        sys.exit(f"failed: {', '.join(failed)}")


def record(file: Path, keys: Path, megabytes: int) -> None:
    """Slowly, so that the kernel drops no packet of the capture."""
    sys.path.insert(0, str(HERE.parent / "captures"))
    from certificates import Authority
    from recording import Lab
    from tls_recording import Keys, https, nginx

    file.parent.mkdir(exist_ok=True)
    with Lab() as lab:
        authority, log = Authority(lab.server), Keys(lab.client)
        nginx(lab.server, authority.issue("example.test"), "", {"large.bin": bytes(1_000_000) * megabytes})
        with lab.client.capture(program="tcpdump") as packets:
            choices = ("--tls13-ciphers", "TLS_AES_128_GCM_SHA256", "--limit-rate", "30M")
            https(lab.client, log, authority, *choices, names=["large.bin"])
        if packets.path.stat().st_size < megabytes * 1_000_000:
            sys.exit("packets are missing from the recording: try again on a quieter machine")
        shutil.copy(packets.path, file)
        shutil.copy(log.path, keys)


def openssl() -> float:
    """MB/s, as `openssl speed` measures them."""
    command = ["openssl", "speed", "-evp", "aes-128-gcm", "-bytes", "16384", "-seconds", "2"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"^AES-128-GCM\s+([\d.]+)k", said, re.MULTILINE)
    assert found, said
    return float(found[1]) / 1000


if __name__ == "__main__":
    main()
