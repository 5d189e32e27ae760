"""Attacks on the HTTP port by raw bytes."""

import socket

from attack.attacked_service import AttackedService
from attack.conftest import Rounds
from attack.tally import Tally


def test_bytes_that_are_no_http(service: AttackedService, tally: Tally, rounds: Rounds):
    for random in rounds(20):
        sent = random.randbytes(random.randrange(1, 4096))
        with socket.create_connection((service.host, service.http_port), timeout=60) as line:
            line.sendall(sent)
            line.shutdown(socket.SHUT_WR)
            told = line.recv(65536)
        tally.answered(int(told[9:12]) if told else None, sent)
