// A port that is free on this computer, asked for when one is needed. The engine says which; nothing here guesses.

import { store } from './store.svelte';

export class FreePort {
  /** The free port nearest above the wanted one; null until it is known, or if there is none. */
  port = $state.raw<number | null>(null);
  #wanted: number | null = null;
  #search: Promise<void> = Promise.resolve();

  /** Asks once for each wanted port; a late answer about an earlier one is dropped. Resolves when it is known. */
  find(wanted: number): Promise<void> {
    if (this.#wanted === wanted) return this.#search;
    this.#wanted = wanted;
    this.port = null;
    this.#search = this.#ask(wanted);
    return this.#search;
  }

  /** Resolves when nothing is being asked any more. */
  known(): Promise<void> {
    return this.#search;
  }

  async #ask(wanted: number): Promise<void> {
    try {
      const answer = await store.send({ request: 'free-port', port: wanted });
      if (this.#wanted === wanted && answer.answer === 'free-port') this.port = answer.port;
    } catch {
      // Without a proposal the user chooses a port.
    }
  }

  /** The next wanted port is asked for again, whatever it is. */
  reset(): void {
    this.#wanted = null;
    this.port = null;
  }
}
