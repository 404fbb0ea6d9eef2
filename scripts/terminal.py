"""terminal.py SECONDS COMMAND...: runs a command in a terminal of 80 by 24, and prints its last whole screen."""
import fcntl, os, pty, re, select, signal, struct, sys, termios, time

pid, fd = pty.fork()
if pid == 0:
    os.environ.update(TERM="xterm", NO_COLOR="1")
    os.execvp(sys.argv[2], sys.argv[2:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
end, text = time.time() + float(sys.argv[1]), b""
while time.time() < end:
    if not select.select([fd], [], [], 0.2)[0]:
        continue
    try:
        more = os.read(fd, 65536)
    except OSError:
        break
    if not more:
        break
    text += more
try:
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)
except OSError:
    pass
screens = re.split(r"\x1b\[\d+A\r\x1b\[J", text.decode("utf-8", "replace").replace("\r\n", "\n"))
screens = [s for s in screens if s.strip()]
if not screens:
    sys.exit("nothing was drawn")
last = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", screens[-2] if len(screens) > 1 else screens[-1])
for line in last.splitlines():
    assert len(line) <= 80, line
assert len(last.splitlines()) <= 24, last
print(last.rstrip("\n"))
