// Reads server-sent events as they arrive on the wire, one by one.

import { print } from 'graphql';
import * as gql from '../gql/graphql.ts';
import type { Guest } from './server.ts';

export interface ServerEvent {
  readonly event?: string;
  readonly id?: string;
  readonly data?: string;
}

export class EventStream {
  readonly response: Response;
  readonly #blocks: AsyncGenerator<ServerEvent, undefined>;
  readonly #gone: AbortController;

  private constructor(response: Response, gone: AbortController) {
    this.response = response;
    this.#gone = gone;
    this.#blocks = readEvents(response);
  }

  /** Opens a stream with GET, as EventSource does. */
  static async open(
    guest: Pick<Guest, 'url' | 'token'>,
    query: string,
    options: { variables?: Record<string, unknown>; headers?: Record<string, string> } = {},
  ): Promise<EventStream> {
    const gone = new AbortController();
    const url = new URL(guest.url);
    url.searchParams.set('query', query);
    url.searchParams.set('variables', JSON.stringify(options.variables ?? {}));
    const headers = { accept: 'text/event-stream', authorization: `Bearer ${guest.token}`, ...options.headers };
    return new EventStream(await fetch(url, { headers, signal: gone.signal }), gone);
  }

  static watch(guest: Guest, variables: gql.MessageAddedSubscriptionVariables, headers: Record<string, string> = {}): Promise<EventStream> {
    return EventStream.open(guest, print(gql.MessageAddedDocument), { variables, headers });
  }

  /** The next event. Undefined once the stream has ended. */
  async next(): Promise<ServerEvent | undefined> {
    return (await this.#blocks.next()).value ?? undefined;
  }

  /** The next event with data. */
  async nextData(): Promise<ServerEvent | undefined> {
    const event = await this.next();
    return event && event.data === undefined ? this.nextData() : event;
  }

  /** The message of the next event. */
  async nextMessage(): Promise<gql.MessageAddedSubscription['messageAdded'] & { eventId: string | undefined }> {
    const event = await this.nextData();
    const { data } = JSON.parse(event?.data ?? '{}') as { data: gql.MessageAddedSubscription };
    return { ...data.messageAdded, eventId: event?.id };
  }

  close(): void {
    this.#gone.abort();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

async function* readEvents(response: Response): AsyncGenerator<ServerEvent, undefined> {
  let text = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const blocks = (text + chunk).split('\n\n');
    text = blocks.pop() as string;
    for (const block of blocks) {
      const fields = block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]);
      const event = Object.fromEntries(fields.filter(([name]) => name !== '')) as ServerEvent;
      if (Object.keys(event).length > 0) yield event;
    }
  }
  return undefined;
}
