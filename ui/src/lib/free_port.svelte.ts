// A port that is free on this computer, asked for when one is needed. The engine says which; nothing here guesses.

import { store } from './store.svelte';

export class FreePort {
  /** The free port nearest above the wanted one; null until it is known, or if there is none. */
  port = $state.raw<number | null>(null);
  #wanted: number | null = null;

  /** Asks once for each wanted port; a late answer about an earlier one is dropped. */
  async find(wanted: number): Promise<void> {
    if (this.#wanted === wanted) return;
    this.#wanted = wanted;
    this.port = null;
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
