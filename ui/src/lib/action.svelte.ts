// Something a person starts: whether it runs, and why it failed, for the place where it was started.

import { asFault } from './store.svelte';
import type { Fault } from './types';

export class Action {
  busy = $state(false);
  fault = $state.raw<Fault | null>(null);

  /** Runs it unless it runs already. Resolves to nothing when it failed: `fault` says why. */
  async run<T>(deed: () => Promise<T>): Promise<T | undefined> {
    if (this.busy) return undefined;
    this.busy = true;
    this.fault = null;
    try {
      return await deed();
    } catch (thrown) {
      this.fault = asFault(thrown);
      return undefined;
    } finally {
      this.busy = false;
    }
  }
}
