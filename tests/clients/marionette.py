"""Marionette, the remote control of Mozilla's programs: JSON over TCP, each packet as LENGTH:JSON.

A command is [0, id, name, parameters], its answer [1, id, error or null, result]. Scripts run in the program's own context, with
all that its windows can do; a promise is waited for."""

import json
import socket


class ScriptFailed(Exception):
    """What a script threw, with where."""


class Marionette:
    def __init__(self, port, seconds, library=""):
        """`seconds` is how long a script may take; `library` stands before every script."""
        self.library = library
        self.last = 0
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds + 30)
        self.stream = self.socket.makefile("rwb")
        hello = self.receive()
        assert hello["marionetteProtocol"] == 3, hello
        self.ask("WebDriver:NewSession", {"capabilities": {}})
        self.ask("WebDriver:SetTimeouts", {"script": seconds * 1000})
        self.ask("Marionette:SetContext", {"value": "chrome"})

    def receive(self):
        length = b""
        while not length.endswith(b":"):
            byte = self.stream.read(1)
            if not byte:
                raise ConnectionError("it has closed the connection")
            length += byte
        return json.loads(self.stream.read(int(length[:-1])))

    def ask(self, name, parameters):
        self.last += 1
        packet = json.dumps([0, self.last, name, parameters]).encode()
        self.stream.write(b"%d:%s" % (len(packet), packet))
        self.stream.flush()
        kind, number, error, result = self.receive()
        assert (kind, number) == (1, self.last), (kind, number, self.last)
        if error:
            raise ScriptFailed(f"{error['error']}: {error['message']}\n{error['stacktrace']}")
        return result

    def call(self, function, *arguments):
        """Calls a function of the library, by its name, and gives what it gives or promises."""
        script = f"{self.library}\nreturn {function}(...arguments);"
        parameters = {"script": script, "args": list(arguments), "sandbox": "system", "newSandbox": True}
        return self.ask("WebDriver:ExecuteScript", parameters)["value"]

    def quit(self):
        """Asks the program to end, as its menu does."""
        self.ask("Marionette:Quit", {"flags": ["eForceQuit"]})
        self.socket.close()
