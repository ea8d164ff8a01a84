// Parses the text of an event stream
// (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation). How the text is cut into
// chunks changes nothing.

export interface ServerSentEvent {
  readonly name: string;
  readonly data: string;
}

export class EventStreamParser {
  /** The line that has not ended yet. */
  #line = '';
  /** A line feed that starts the next chunk belongs to the line end that was already read. */
  #endsWithCarriageReturn = false;
  #name = '';
  #data: string[] = [];

  /** The events that the chunk completes. */
  push(chunk: string): ServerSentEvent[] {
    if (chunk === '') return [];
    const text = this.#endsWithCarriageReturn && chunk.startsWith('\n') ? chunk.slice(1) : chunk;
    this.#endsWithCarriageReturn = text.endsWith('\r');
    const lines = (this.#line + text).split(/\r\n|\r|\n/);
    this.#line = lines.pop() as string;
    return lines.flatMap((line) => this.#readLine(line) ?? []);
  }

  /** The event that ends with this line, if one does. `id`, `retry` and comments are not used. */
  #readLine(line: string): ServerSentEvent | undefined {
    if (line === '') return this.#endEvent();
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === 'event') this.#name = value;
    if (field === 'data') this.#data.push(value);
    return undefined;
  }

  #endEvent(): ServerSentEvent | undefined {
    const event = { name: this.#name, data: this.#data.join('\n') };
    this.#name = '';
    this.#data = [];
    return event.name === '' && event.data === '' ? undefined : event;
  }
}
