// What the system lets one process have: files, and ports to connect from.

import { readFileSync } from 'node:fs';

/** Beside the connections: libraries, pipes, the database. */
const otherFiles = 500;
/** Local addresses to connect from in turn, where the ports of one would not do: 127.0.0.0/8 is all ours. */
const addresses = 8;
/** Ports that a run of the whole benchmark wants: the crowd of one server, and those of the last ones, which the system still keeps. */
const portsWanted = 20_000;

let portsAreShort: boolean | undefined;
let next = 0;

/** Where the next connection is to come from: nowhere in particular, while ports last. */
export function localAddressOf(): { localAddress?: string } {
  portsAreShort ??= countPorts() < portsWanted;
  next += 1;
  return portsAreShort ? { localAddress: `127.0.0.${1 + (next % addresses)}` } : {};
}

/** Throws a sentence where a process may not have so many connections. */
export function requireConnections(count: number): void {
  const [, limit] = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  const needed = count + otherFiles;
  if (limit === 'unlimited' || Number(limit) >= needed) return;
  throw new Error(
    `${count} connections take ${needed} open files, and a process may have ${limit} here: raise that with ulimit -n ${needed}.`,
  );
}

function countPorts(): number {
  const [first = 0, last = 0] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/).map(Number);
  return last - first + 1;
}
