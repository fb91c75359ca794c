"""Runs a command on a pseudo-terminal: its output goes to stdout, its exit code becomes ours.

usage: run_on_terminal.py COLUMNS ROWS COMMAND...
Lines on stdin: `type TEXT` types a JSON string, `resize COLUMNS ROWS` changes the size.
"""
import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios

def resize(columns, rows):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", int(rows), int(columns), 0, 0))

def obey(line):
    verb, rest = line.split(" ", 1)
    if verb == "type":
        os.write(terminal, json.loads(rest).encode())
    else:
        resize(*rest.split())

columns, rows, *command = sys.argv[1:]
ready, go = os.pipe()
child, terminal = pty.fork()
if child == 0:
    # The size must be known before the command starts.
    os.read(ready, 1)
    os.execvp(command[0], command)
resize(columns, rows)
os.write(go, b".")
signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGKILL))

pending = b""
inputs = [terminal, 0]
while True:
    for source in select.select(inputs, [], [])[0]:
        try:
            data = os.read(source, 65536)
        except OSError:
            data = b""
        if source == terminal:
            if not data:
                _, status = os.waitpid(child, 0)
                sys.exit(os.waitstatus_to_exitcode(status) & 255)
            os.write(1, data)
        elif not data:
            inputs.remove(0)
        else:
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                obey(line.decode())
