// Answers all who ask at about the same time with one piece of work. Whoever asks while it is under way waits for the
// next: what it says may be older than what they know.

interface Asking<Ask, Answer> {
  readonly ask: Ask;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

export class Batch<Ask, Answer> {
  readonly #work: (asks: readonly Ask[]) => Promise<readonly Answer[]>;
  readonly #maxSize: number;
  #waiting: Asking<Ask, Answer>[] = [];
  #working = false;

  /** `work` answers at most `maxSize` asks, in their order. */
  constructor(maxSize: number, work: (asks: readonly Ask[]) => Promise<readonly Answer[]>) {
    this.#maxSize = maxSize;
    this.#work = work;
  }

  ask(ask: Ask): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#waiting.push({ ask, resolve, reject });
    if (!this.#working) void this.#answer();
    return promise;
  }

  async #answer(): Promise<void> {
    this.#working = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, this.#maxSize);
      try {
        const answers = await this.#work(batch.map(({ ask }) => ask));
        for (const [i, { resolve }] of batch.entries()) resolve(answers[i] as Answer);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#working = false;
  }
}
