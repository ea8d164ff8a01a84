// Failures of the links between clients and nodes.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Impairment, LinkCounts } from '../rig/link.ts';
import type { Fault, Stage } from './fault.ts';
import { felt, repeatedly, seconds } from './felt.ts';

export const clientsReset = ({ lastsMs = 10_000, everyMs = 2000 } = {}): Fault => ({
  name: `clients' links reset every ${seconds(everyMs)}`,
  async strike({ rig }) {
    let cut = 0;
    await repeatedly(lastsMs, everyMs, () => {
      for (const { links } of rig.nodes) cut += links.clients.reset();
    });
    return { figure: 'connections that were reset', count: cut };
  },
});

/** Neither side learns that the other is gone, until the network is back and does not know the connection. */
export const clientsHalfOpen = ({ lastsMs = 10_000 } = {}): Fault => ({
  name: `clients' links half-open for ${seconds(lastsMs)}`,
  strike: impaired('bytes that were lost', 'swallowedBytes', { swallowing: true }, lastsMs),
});

export const clientsSlow = ({ lastsMs = 10_000, bytesPerSecond = 20_000 } = {}): Fault => ({
  name: `clients' links slow, at ${bytesPerSecond} bytes a second`,
  strike: impaired('bytes that were slowed down', 'hinderedBytes', { bytesPerSecond }, lastsMs),
});

export const clientsByteByByte = ({ lastsMs = 10_000 } = {}): Fault => ({
  name: `clients' links byte by byte`,
  strike: impaired('bytes that arrived one by one', 'hinderedBytes', { bytesPerPiece: 1 }, lastsMs),
});

export const clientsDelayed = ({ lastsMs = 10_000, delayMs = 100, jitterMs = 400 } = {}): Fault => ({
  name: `clients' links delayed by ${delayMs} to ${delayMs + jitterMs} ms`,
  strike: impaired('bytes that were delayed', 'hinderedBytes', { delayMs, jitterMs }, lastsMs),
});

/** In the middle of a frame or an answer. */
export const clientsCut = ({ lastsMs = 10_000, everyMs = 1000, mostBytes = 20_000 } = {}): Fault => ({
  name: `clients' links cut after at most ${mostBytes} bytes`,
  strike: (stage) =>
    felt(stage, 'connections that were cut', ['links.clients.resets'], async () => {
      const links = stage.rig.nodes.map((node) => node.links.clients);
      await repeatedly(lastsMs, everyMs, () => {
        for (const link of links) link.impair({ cutAfterBytes: 1 + Math.floor(stage.random() * mostBytes) });
      });
      for (const link of links) link.heal();
    }),
});

/** Impairs the links of all clients for `lastsMs`. */
function impaired(figure: string, count: keyof LinkCounts, impairment: Impairment, lastsMs: number) {
  return (stage: Stage) =>
    felt(stage, figure, [`links.clients.${count}`], async () => {
      const links = stage.rig.nodes.map((node) => node.links.clients);
      for (const link of links) link.impair(impairment);
      await sleep(lastsMs);
      for (const link of links) link.heal();
    });
}
