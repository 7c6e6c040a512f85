// What a user does with a portal in more than one place.

import { store } from './store.svelte';
import type { InletView } from './types';

/** Switches a portal off at once, and removes it after the undo period. Rejects with a `Fault`. */
export function removePortal(inlet: InletView): Promise<void> {
  return store.removeWithUndo({
    id: inlet.id,
    text: `${inlet.name} removed`,
    apply: inlet.on ? { request: 'set-inlet', inlet: inlet.id, on: false } : undefined,
    undo: inlet.on ? { request: 'set-inlet', inlet: inlet.id, on: true } : undefined,
    commit: { request: 'remove-inlet', inlet: inlet.id },
  });
}

/** The address to copy: the URL that "Open" opens, or `127.0.0.1:port` of what no browser opens. */
export function copiedAddress(inlet: InletView): string {
  return inlet.url ?? inlet.address;
}

/** The address as it is shown. */
export function shownAddress(inlet: InletView): string {
  return inlet.url === null ? inlet.address : `${inlet.host ?? 'localhost'}:${inlet.port}`;
}
