// A subscriber whose server follows a script. Each attempt continues after its `after`, as the real server does, but says
// what the script wants. It goes on after it was unsubscribed, as messages in flight do.

import type { Payload, Result, Sink, Subscriber } from '../../src/client/subscriber.ts';

/** A number is the event of that entry. */
export type Step = number | 'complete' | { readonly result: unknown } | { readonly error: unknown };

export const fields = ['roomEvents', 'messageAdded'] as const;
export type Field = (typeof fields)[number];

export const eventOf = (field: Field, number: number): Result => ({
  data: {
    [field]: { __typename: 'MessageAdded', cursor: String(number), ...(field === 'messageAdded' ? { number } : { message: { number } }) },
  },
});

interface ScriptedServerOptions {
  readonly field: Field;
  /** The steps of the first attempts. Every later one sends the rest of the log and stays open. */
  readonly script: readonly (readonly Step[])[];
  readonly logLength: number;
  /** Whether an attempt starts before `subscribe` returns. */
  readonly synchronous?: boolean;
}

export class ScriptedServer implements Subscriber {
  /** `after` of each attempt. */
  readonly afters: unknown[] = [];
  /** The attempts that were unsubscribed, by their index. */
  readonly unsubscribed: number[] = [];
  readonly #options: ScriptedServerOptions;

  constructor(options: ScriptedServerOptions) {
    this.#options = options;
  }

  subscribe(payload: Payload, sink: Sink<unknown>): () => void {
    const { field, script, logLength, synchronous = true } = this.#options;
    const index = this.afters.length;
    const after = payload.variables?.['after'];
    this.afters.push(after);
    const run = () => {
      const steps = script[index];
      for (const step of steps ?? []) this.#take(step, sink);
      if (steps) return;
      for (let number = Number(after ?? 0) + 1; number <= logLength; number += 1) sink.next(eventOf(field, number));
      if (field === 'roomEvents') sink.next({ data: { roomEvents: { __typename: 'CaughtUp', cursor: String(logLength) } } });
    };
    if (synchronous) run();
    else setTimeout(run);
    return () => this.unsubscribed.push(index);
  }

  #take(step: Step, sink: Sink<unknown>): void {
    if (step === 'complete') sink.complete();
    else if (typeof step === 'number') sink.next(eventOf(this.#options.field, step));
    else if ('error' in step) sink.error(step.error);
    else sink.next(step.result);
  }
}
