#!/usr/bin/env python3
"""zdigest.py: digests of streams of zfs send, written from the manual page zdigest(5) alone.

usage: zdigest.py [-objects] <stream    exit status 1: it has no digest
"""
import hashlib, struct, sys
PIECE = 131072
def fletcher(data, order, sums):
    data += bytes(-len(data) % 4)
    a, b, c, d = sums
    for word in struct.unpack(order + "%dI" % (len(data) // 4), data):
        a += word
        b += a
        c += b
        d += c
    mask = 2**64 - 1
    return a & mask, b & mask, c & mask, d & mask
def read_records(source):
    """All records with their payloads, checked. It takes the whole stream into memory."""
    data = source.read()
    order = "<" if data[8:16] == struct.pack("<Q", 0x2F5BACBAC) else ">"
    assert data[8:16] == struct.pack(order + "Q", 0x2F5BACBAC), "no stream"
    at, sums = 0, (0, 0, 0, 0)
    while True:
        head = data[at:at + 312]
        assert len(head) == 312, "cut"
        field = lambda where, kind, head=head: struct.unpack_from(order + kind, head, where)[0]
        kind, at = field(0, "I"), at + 312
        assert (kind == 0) == (at == 312), "order"
        before = sums
        sums = fletcher(head[:280], order, sums)
        have = struct.unpack(order + "4Q", head[280:])
        assert kind == 0 or have in (sums, (0, 0, 0, 0)), "checksum"
        sums = fletcher(head[280:], order, sums)
        if kind == 5:
            assert struct.unpack_from(order + "4Q", head, 8) == before and at == len(data), "end"
            return
        size = {
            0: lambda: field(4, "I"),
            1: lambda: field(36, "I") or field(28, "I") + 7 & ~7,
            3: lambda: field(96, "Q") if head[50] else field(32, "Q"),
            7: lambda: field(40, "Q") or field(16, "Q"),
        }.get(kind, lambda: 0)()
        assert kind in (0, 1, 2, 3, 4, 7, 9), "type"
        payload = data[at:at + size]
        assert len(payload) == size, "cut"
        sums, at = fletcher(payload, order, sums), at + size
        yield kind, order, field, head, payload
class Object:
    def __init__(self, field, payload):
        self.number, bonus = field(8, "Q"), payload if field(36, "I") else payload[:field(28, "I")]
        self.head = struct.pack("<QIIII", self.number, field(16, "I"), field(20, "I"), field(28, "I"), len(bonus)) + bonus
        self.pieces, self.blocks, self.spill = {}, b"", b""
    def write(self, offset, data):
        while data:
            start, inside = offset // PIECE * PIECE, offset % PIECE
            piece = self.pieces.setdefault(start, bytearray(PIECE))
            part = data[:PIECE - inside]
            piece[inside:inside + len(part)] = part
            offset, data = offset + len(part), data[len(part):]
    def digest(self):
        hashed = self.head + self.blocks
        for start, piece in sorted(self.pieces.items()):
            piece = piece.rstrip(b"\0")
            if piece:
                hashed += struct.pack("<QI", start, len(piece)) + piece
        return hashlib.sha256(hashed + self.spill).digest()
def raw_head(offset, length, payload, compression, flags, cipher):
    return struct.pack("<QIIBB", offset, length, len(payload), compression, flags & 2) + cipher
def read_stream(source):
    objects, magic = {}, b""
    for kind, order, field, head, payload in read_records(source):
        if kind == 0:
            features = field(16, "Q") >> 2
            raw = features >> 24 & 1
            assert field(16, "Q") & 3 == 1 and field(48, "Q") == 0, "not whole"
            assert not features & (1 << 20 | 1 << 21 | 3) and (raw or not features & (1 << 16 | 1 << 22 | 1 << 25)), "features"
            magic = b"zdigest1" + bytes([field(32, "I") == 3, raw, order == ">", 0, 0, 0, 0, 0])
        elif kind == 1:
            objects[field(8, "Q")] = Object(field, payload)
        elif kind == 3 and raw:
            objects[field(8, "Q")].blocks += raw_head(field(24, "Q"), field(32, "Q"), payload, head[50], head[49], head[104:140]) + payload
        elif kind == 3:
            assert not head[50], "compressed"
            objects[field(8, "Q")].write(field(24, "Q"), payload)
        elif kind == 7:
            start = raw_head(2**64 - 1, field(16, "Q"), payload, head[33], head[32], head[48:84]) if raw else struct.pack("<QI", 2**64 - 1, field(16, "Q"))
            objects[field(8, "Q")].spill = start + hashlib.sha256(payload).digest()
    digests = [(number, one.digest()) for number, one in sorted(objects.items())]
    magic += b"".join(struct.pack("<Q", number) + one for number, one in digests)
    return hashlib.sha256(magic + struct.pack("<Q", len(digests))).hexdigest(), digests
whole, parts = read_stream(sys.stdin.buffer)
if sys.argv[1:] == ["-objects"]:
    for number, one in parts:
        print("object", number, one.hex(), sep="\t")
print(whole)
