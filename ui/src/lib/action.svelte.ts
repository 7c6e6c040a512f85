// An asynchronous action of the user: whether it is running, and the fault of the last run.

import { toFault } from './store.svelte';
import type { Fault } from './types';

export class Action {
  busy = $state(false);
  fault = $state.raw<Fault | null>(null);

  /** Runs `operation` unless one is running. Resolves to undefined if it failed; then `fault` is set. */
  async run<T>(operation: () => Promise<T>): Promise<T | undefined> {
    if (this.busy) return undefined;
    this.busy = true;
    this.fault = null;
    try {
      return await operation();
    } catch (thrown) {
      this.fault = toFault(thrown);
      return undefined;
    } finally {
      this.busy = false;
    }
  }
}
