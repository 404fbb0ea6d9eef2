#!/usr/bin/env python3
"""zframe.py: framed streams, written from the manual page zframe(5) alone.

usage: zframe.py write crc32c|none SIZE [zstd] <data >stream    SIZE: bytes in a frame; zstd: data is compressed
       zframe.py read [zstd] <stream >data                      zstd: only such a stream; data stays compressed
Exit status 1: not whole, or failed
"""
import json, struct, sys
TABLE = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    TABLE.append(n)
def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF
def write(out, kind, seq, body, crc=None):
    if crc is not None:
        body += struct.pack("<I", crc)
    prefix = struct.pack("<BBHI", kind, crc is not None, seq & 0xFFFF, len(body))
    out.write(prefix + struct.pack("<I", crc32c(prefix)) + body)
def write_stream(data, out, checksum, size, **keys):
    head = json.dumps({"zframe": 2 if "compress" in keys else 1, "checksum": checksum, **keys}).encode()
    write(out, 1, 0, head, crc32c(head))
    crc, frames = 0, [data[i:i + size] for i in range(0, len(data), size)]
    for seq, piece in enumerate(frames, 1):
        crc = crc32c(piece, crc)
        write(out, 2, seq, piece, crc if checksum == "crc32c" else None)
    tail = json.dumps({"status": "ok", "exit": 0, "bytes": len(data), "frames": len(frames)}).encode()
    write(out, 3, len(frames) + 1, tail, crc32c(tail))
def read(source, n):
    data = source.read(n)
    assert len(data) == n, "cut"
    return data
def read_stream(source, out, keys={}, compress=None):
    seq = crc = count = frames = 0
    while True:
        prefix = read(source, 12)
        kind, flags, number, length = struct.unpack("<BBHI", prefix[:8])
        assert struct.pack("<I", crc32c(prefix[:8])) == prefix[8:] and number == seq & 0xFFFF and flags < 2
        assert kind in (1, 2, 3, 4) and length <= 1 << 20 | 4 and (kind == 1) >= (seq == 0 and kind != 4)
        body = read(source, length)
        body, want = (body[:-4], struct.unpack("<I", body[-4:])[0]) if flags else (body, None)
        seq += 1
        if kind == 2:
            crc, count, frames = crc32c(body, crc), count + len(body), frames + 1
            assert (want == crc) if checksum == "crc32c" else (want is None), "bad data"
            out.write(body)
        elif kind != 4:
            assert want == crc32c(body), "bad text"
            text = json.loads(body)
            if kind == 3:
                return text["status"] == "ok" and (text["bytes"], text["frames"]) == (count, frames)
            assert text["zframe"] == (2 if compress else 1) and (not compress or text["compress"] == compress)
            keys.update(text)
            checksum = text.get("checksum", "none")
if __name__ != "__main__":
    pass
elif sys.argv[1] == "write":
    write_stream(sys.stdin.buffer.read(), sys.stdout.buffer, sys.argv[2], int(sys.argv[3]),
                 **dict([("compress", method) for method in sys.argv[4:]]))
else:
    sys.exit(not read_stream(sys.stdin.buffer, sys.stdout.buffer, compress=(sys.argv[2:] or [None])[0]))
