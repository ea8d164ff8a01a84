// System limits of one process: open files, and local ports.

import { readFileSync } from 'node:fs';

/** Open files besides connections: libraries, pipes, the database. */
const otherFiles = 500;
/** Local addresses in 127.0.0.0/8 that are used in turn if one address has too few ports. */
const addresses = 8;
/** Ports that a full run needs: for the watchers of one server, and for those of earlier servers that are in TIME_WAIT. */
const portsWanted = 20_000;

let portsAreShort: boolean | undefined;
let next = 0;

/** The local address of the next connection. The system chooses one if there are enough ports. */
export function localAddressOf(): { localAddress?: string } {
  portsAreShort ??= countPorts() < portsWanted;
  next += 1;
  return portsAreShort ? { localAddress: `127.0.0.${1 + (next % addresses)}` } : {};
}

/** Throws if a process may not have this many connections. */
export function requireConnections(count: number): void {
  const [, limit] = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  const needed = count + otherFiles;
  if (limit === 'unlimited' || Number(limit) >= needed) return;
  throw new Error(`${count} connections need ${needed} open files, but the limit is ${limit}: raise it with ulimit -n ${needed}.`);
}

function countPorts(): number {
  const [first = 0, last = 0] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/).map(Number);
  return last - first + 1;
}
