// Failures of the links between clients and nodes.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Impairment, LinkCounts } from '../rig/link.ts';
import { countEffect, repeatedly, seconds } from './effect.ts';
import type { Fault, FaultContext } from './fault.ts';

export const clientsReset = ({ lastsMs = 10_000, everyMs = 2000 } = {}): Fault => ({
  name: `clients' links reset every ${seconds(everyMs)}`,
  async inject({ rig }) {
    let cut = 0;
    await repeatedly(lastsMs, everyMs, () => {
      for (const { links } of rig.nodes) cut += links.clients.reset();
    });
    return { figure: 'connections that were reset', count: cut };
  },
});

/** Neither side detects that the other is gone until the network is back and resets the connection. */
export const clientsHalfOpen = ({ lastsMs = 10_000 } = {}): Fault => ({
  name: `clients' links half-open for ${seconds(lastsMs)}`,
  inject: impaired('bytes that were lost', 'droppedBytes', { droppingAll: true }, lastsMs),
});

export const clientsSlow = ({ lastsMs = 10_000, bytesPerSecond = 20_000 } = {}): Fault => ({
  name: `clients' links slow, at ${bytesPerSecond} bytes a second`,
  inject: impaired('bytes that were slowed down', 'impairedBytes', { bytesPerSecond }, lastsMs),
});

export const clientsByteByByte = ({ lastsMs = 10_000 } = {}): Fault => ({
  name: `clients' links byte by byte`,
  inject: impaired('bytes that arrived one by one', 'impairedBytes', { bytesPerPiece: 1 }, lastsMs),
});

export const clientsDelayed = ({ lastsMs = 10_000, delayMs = 100, jitterMs = 400 } = {}): Fault => ({
  name: `clients' links delayed by ${delayMs} to ${delayMs + jitterMs} ms`,
  inject: impaired('bytes that were delayed', 'impairedBytes', { delayMs, jitterMs }, lastsMs),
});

/** In the middle of a frame or an answer. */
export const clientsCut = ({ lastsMs = 10_000, everyMs = 1000, mostBytes = 20_000 } = {}): Fault => ({
  name: `clients' links cut after at most ${mostBytes} bytes`,
  inject: (context) =>
    countEffect(context, 'connections that were cut', ['links.clients.resets'], async () => {
      const links = context.rig.nodes.map((node) => node.links.clients);
      await repeatedly(lastsMs, everyMs, () => {
        for (const link of links) link.impair({ cutAfterBytes: 1 + Math.floor(context.random() * mostBytes) });
      });
      for (const link of links) link.heal();
    }),
});

/** Impairs the links of all clients for `lastsMs`. */
function impaired(figure: string, count: keyof LinkCounts, impairment: Impairment, lastsMs: number) {
  return (context: FaultContext) =>
    countEffect(context, figure, [`links.clients.${count}`], async () => {
      const links = context.rig.nodes.map((node) => node.links.clients);
      for (const link of links) link.impair(impairment);
      await sleep(lastsMs);
      for (const link of links) link.heal();
    });
}
