#!/usr/bin/env python3
"""zrpc.py: a client of zreplctl serve, written from the manual pages zrpc(5) and zframe(5) alone.

usage: zrpc.py FOLDER COMMAND…    COMMAND serves a source job on its stdin and stdout. The full
                                  stream of each dataset's oldest snapshot becomes a file of FOLDER.
"""
import io, json, os, subprocess, sys
from zframe import read_stream, write_stream


class Refused(Exception):
    def __init__(self, head):
        super().__init__(head.get("error", ""))
        self.code = head["code"]


class Client:
    def __init__(self, command):
        self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def call(self, name, value=None, accept="json"):
        body = b"" if value is None else json.dumps(value).encode()
        write_stream(body, self.server.stdin, "crc32c", 65536, zrpc=1, call=name,
                     body="none" if value is None else "json", accept=accept)
        self.server.stdin.flush()
        head, out = {}, io.BytesIO()
        whole = read_stream(self.server.stdout, out, head)
        if head["status"] != "ok":
            raise Refused(head)
        assert whole and head["body"] == accept
        lines = [json.loads(line) for line in out.getvalue().splitlines()]
        return lines if accept == "jsonl" else lines[0] if lines else None

    def octets(self, out):
        return read_stream(self.server.stdout, out)

    def refusal(self, name, value, accept="json"):
        try:
            self.call(name, value, accept)
        except Refused as refused:
            return refused.code
        return "nothing was refused"


folder, client = sys.argv[1], Client(sys.argv[2:])
assert client.refusal("list", {}, "jsonl") == "bad-request"  # hello comes first
welcome = client.call("hello", {"protocol": 1, "run": "r1", "job": "python"})
assert welcome["role"] == "source", welcome
assert client.refusal("destroy", {}) == "unknown-call"
for dataset in client.call("list", {}, "jsonl"):
    to = next(v for v in dataset["versions"] if v["kind"] == ord("@"))
    reply = client.call("send", {"dataset": dataset["name"], "send": dataset.get("send", {}), "to": to}, "octets")
    assert (reply["to"], reply["name"]) == (to["guid"], to["name"])
    with open(os.path.join(folder, dataset["name"].replace("/", "_")), "wb") as file:
        assert client.octets(file), "the stream is not whole"
    print(dataset["name"] + "@" + to["name"])
gone = {"dataset": dataset["name"], "from": to, "to": dict(to, name="gone", guid=7), "send": dataset.get("send", {})}
assert client.refusal("send", gone, "octets") == "gone"
client.server.stdin.close()
sys.exit(client.server.wait())
