// An asynchronous action of the user: whether it is running, and the fault of the last run.

import { toFault } from './store.svelte';
import type { Fault } from './types';

export class Action {
  busy = $state(false);
  fault = $state.raw<Fault | null>(null);
  #pending = 0;
  #last: Promise<unknown> = Promise.resolve();

  /**
   * Runs `operation`, after those that were started before: none is dropped, since the user has already seen the click happen.
   * A control that must not repeat is disabled while the action is `busy`; one that must not wait for another has an action
   * of its own. Resolves to undefined if it failed; then `fault` is set.
   */
  run<T>(operation: () => Promise<T>): Promise<T | undefined> {
    // The first is called at once: what the browser allows in a click, it allows in there.
    const result = this.#pending === 0 ? this.#attempt(operation) : this.#last.then(() => this.#attempt(operation));
    this.#pending += 1;
    this.busy = true;
    this.#last = result.then(() => {
      this.#pending -= 1;
      this.busy = this.#pending > 0;
    });
    return result;
  }

  async #attempt<T>(operation: () => Promise<T>): Promise<T | undefined> {
    this.fault = null;
    try {
      return await operation();
    } catch (thrown) {
      this.fault = toFault(thrown);
      return undefined;
    }
  }
}
