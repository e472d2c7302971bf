#!/usr/bin/env python3
"""An event socket application without any library: it logs every call of a switch,
and takes a call over when its caller presses a key.

    python3 docs/examples/watch.py --password SECRET
    python3 docs/examples/watch.py --password SECRET --key 9 --to 1001

The password is what "switchlet secret" prints as event_socket_password. It works
with FreeSWITCH too.
"""

import argparse
import json
import os
import socket
import time

WANTED = "CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_BRIDGE DTMF CHANNEL_HANGUP_COMPLETE"


class EventSocket:
    """One connection: what is sent are lines, what comes are heads with a body."""

    def __init__(self, host, port, password):
        self.file = socket.create_connection((host, port)).makefile("rwb")
        self.events = []
        self.read()  # Content-Type: auth/request
        if not self.command("auth " + password).startswith("+OK"):
            raise SystemExit("the switch refuses the password")

    def read(self):
        """Reads one message: its head as a dict, and its body."""
        head = {}
        while True:
            line = self.file.readline()
            if not line:
                raise SystemExit("the switch has gone")
            if line == b"\n":
                break
            name, _, value = line.decode().rstrip("\n").partition(": ")
            head[name] = value
        return head, self.file.read(int(head.get("Content-Length", 0))).decode()

    def command(self, line):
        """Sends a command and returns its reply; events that come first are kept."""
        self.file.write(line.encode() + b"\n\n")
        self.file.flush()
        while True:
            head, body = self.read()
            kind = head.get("Content-Type")
            if kind == "text/event-json":
                self.events.append(json.loads(body))
            elif kind == "command/reply":
                return head["Reply-Text"]
            elif kind == "api/response":
                return body

    def next_event(self):
        while not self.events:
            head, body = self.read()
            if head.get("Content-Type") == "text/event-json":
                self.events.append(json.loads(body))
        return self.events.pop(0)


def log(*words):
    print(time.strftime("%H:%M:%S"), *words, flush=True)


def describe(event):
    return {
        "CHANNEL_CREATE": "begins",
        "CHANNEL_ANSWER": "is answered",
        "CHANNEL_BRIDGE": "is connected with " + event.get("Other-Leg-Destination-Number", ""),
        "DTMF": "pressed " + event.get("DTMF-Digit", ""),
        "CHANNEL_HANGUP_COMPLETE": f"ended: {event.get('Hangup-Cause')} after {event.get('variable_billsec')} s",
    }[event["Event-Name"]]


def main():
    parser = argparse.ArgumentParser(description="log calls, and take over those whose caller presses a key")
    parser.add_argument("--addr", default="127.0.0.1:8021", help="HOST:PORT of the event socket")
    parser.add_argument("--password", default=os.environ.get("ESL_PASSWORD", ""), help="its password ($ESL_PASSWORD)")
    parser.add_argument("--key", default="*", help="the digit that asks to be taken over")
    parser.add_argument("--to", default="9664", help="the number that a taken call goes to")
    options = parser.parse_args()
    host, _, port = options.addr.rpartition(":")
    switch = EventSocket(host, int(port), options.password)
    switch.command("event json " + WANTED)
    print("watching", options.addr, flush=True)
    while True:
        event = switch.next_event()
        uuid = event["Unique-ID"]
        log(uuid, event.get("Caller-Caller-ID-Number"), "to", event.get("Caller-Destination-Number"), describe(event))
        if event["Event-Name"] == "DTMF" and event.get("DTMF-Digit") == options.key:
            reply = switch.command(f"api uuid_transfer {uuid} {options.to} XML default")
            log(uuid, "taken over to", options.to, reply.strip())


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
