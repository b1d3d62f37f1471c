/**
 * Two programs under way: while one runs, the next is recorded. More would make a submission wait for the oldest, on the
 * caller's thread.
 */
export class Pipeline {
  #running: Promise<unknown> = Promise.resolve();

  /** Resolves when the program before this one has ended; rejects if that one failed. */
  async push(program: Promise<unknown>): Promise<void> {
    const before = this.#running;
    this.#running = program;
    // If the one before fails, this one is never awaited: it fails for the same reason.
    program.then(undefined, () => undefined);
    await before;
  }

  /** Resolves when all have ended. */
  async drain(): Promise<void> {
    await this.#running;
  }
}
