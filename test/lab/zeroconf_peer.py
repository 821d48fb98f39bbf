"""python-zeroconf as the other side: `publish <address> <port>` or `browse`. One JSON object a line; ends with its input."""
import json
import socket
import sys

from zeroconf import ServiceBrowser, ServiceInfo, Zeroconf

TYPE = "_handfast._udp.local."


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


class Listener:
    def add_service(self, zeroconf, kind, name):
        info = zeroconf.get_service_info(kind, name, 5000)
        if info is None:
            say("unresolved", instance=name)
            return
        addresses = [socket.inet_ntoa(address) for address in info.addresses]
        keys = sorted(key.decode() for key in info.properties)
        say("found", instance=name, port=info.port, addresses=addresses, keys=keys)

    def update_service(self, zeroconf, kind, name):
        self.add_service(zeroconf, kind, name)

    def remove_service(self, zeroconf, kind, name):
        say("lost", instance=name)


zeroconf = Zeroconf()
if sys.argv[1] == "publish":
    address, port = sys.argv[2], int(sys.argv[3])
    name = "zc peer." + TYPE
    zeroconf.register_service(
        ServiceInfo(TYPE, name, port, addresses=[socket.inet_aton(address)], properties={"v": "1"}, server="zc-peer.local.")
    )
else:
    ServiceBrowser(zeroconf, TYPE, Listener())
say("open")
sys.stdin.read()
zeroconf.close()
