import { type NetworkInterfaceInfo, networkInterfaces, platform } from "node:os";
import { isLinkLocal } from "#kernel/ipAddress.js";
import type { LocalInterface } from "./localInterface.js";

/** Names of interfaces that lead to containers and virtual machines, through a tunnel, or to Apple's own radio links. */
const VIRTUAL = /^(docker|br-|veth|virbr|vmnet|vboxnet|tun|tap|utun|wg|tailscale|zt|awdl|llw|anpi)/;

export function looksVirtual(name: string): boolean {
  return VIRTUAL.test(name);
}

/** Interfaces with an address, by name. Without a wish: all that lead off this machine to others. */
export function usableInterfaces(wanted: readonly string[] | undefined): LocalInterface[] {
  const found: LocalInterface[] = [];
  for (const [name, entries = []] of Object.entries(networkInterfaces())) {
    if (wanted && !wanted.includes(name)) continue;
    const usable = entries.filter(({ internal }) => wanted !== undefined || !internal);
    if (usable.length === 0 || (!wanted && isIdle(name, usable))) continue;
    const subnets = usable.map(({ address, cidr }) => ({ address, prefix: Number(cidr?.split("/")[1] ?? 128) }));
    const scope = usable.find(({ address }) => isLinkLocal(address))?.scopeid;
    found.push({ name, subnets, ...(platform() === "win32" && scope !== undefined && { zone: String(scope) }) });
  }
  return found;
}

/** Every interface that is up has a link-local address: of a tunnel or a container's cable that alone is no sign of a network. */
function isIdle(name: string, entries: readonly NetworkInterfaceInfo[]): boolean {
  return looksVirtual(name) && entries.every(({ address }) => isLinkLocal(address));
}
