// Something a person starts: whether it runs, and why it failed, for the place where it was started.

import { toFault } from './store.svelte';
import type { Fault } from './types';

export class Action {
  busy = $state(false);
  fault = $state.raw<Fault | null>(null);

  /** Runs it unless it runs already. Resolves to nothing when it failed: `fault` says why. */
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
