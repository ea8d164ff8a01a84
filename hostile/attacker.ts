// The process of the attackers: runs one attack until its parent ends it, and reports the outcome. It has a lower priority than
// the server, PostgreSQL and the ordinary users, so that it does not take their CPU time.

import { setPriority } from 'node:os';
import { type Outcome, Tally, type Target } from './attack.ts';
import { attacks } from './attacks/all.ts';

export type ToAttacker = { readonly attack: string; readonly target: Target } | 'end';
export type FromAttacker = 'begun' | { readonly outcome: Outcome };

const lowestPriority = 19;
setPriority(lowestPriority);
const controller = new AbortController();
const tell = (message: FromAttacker) => new Promise((resolve) => process.send?.(message, resolve));

process.on('message', (message: ToAttacker) => {
  if (message === 'end') controller.abort();
  else void attackUntilEnded(message);
});
// The parent has ended.
process.once('disconnect', () => process.exit());

async function attackUntilEnded({ attack: name, target }: Exclude<ToAttacker, 'end'>): Promise<void> {
  const attack = attacks.find((each) => each.name === name);
  if (!attack) throw new Error(`Unknown attack: ${name}.`);
  const tally = new Tally();
  await attack.run(target, tally, controller.signal, () => void tell('begun'));
  await tell({ outcome: tally.outcome });
  process.exit();
}
