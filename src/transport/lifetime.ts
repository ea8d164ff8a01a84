// Whether anybody still waits for the result of an operation. It ends once, with the deadline or with the client.

export class Lifetime {
  /** Created when it is first needed: most operations read nothing that could be cancelled. */
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  /** Aborted with the reason of the end. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  end(reason: Error): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}
