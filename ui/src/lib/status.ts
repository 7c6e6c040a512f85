// The overall status in one line. Pure.

import { count } from './format';
import type { Snapshot } from './types';

export type StatusLine = { tone: 'good' | 'warn' | 'bad' | 'idle'; text: string };

export function statusLine(snapshot: Snapshot): StatusLine {
  switch (snapshot.status) {
    case 'paused':
      return { tone: 'idle', text: 'Everything is paused' };
    case 'offline':
      return { tone: 'bad', text: 'Offline' };
    case 'attention':
      return { tone: 'warn', text: attentionText(snapshot) };
    case 'live':
      return { tone: 'good', text: `${count(connections(snapshot), 'connection')} open` };
    case 'ready':
      return { tone: 'good', text: ready(snapshot) };
    case 'idle':
      return { tone: 'idle', text: 'Nothing shared yet' };
  }
}

function connections(snapshot: Snapshot): number {
  return [...snapshot.services, ...snapshot.inlets].reduce((sum, { live }) => sum + live, 0);
}

function attentionText(snapshot: Snapshot): string {
  const pending = attention(snapshot);
  if (pending > 0) return count(pending, 'pending request');
  return 'Needs attention';
}

function ready(snapshot: Snapshot): string {
  const shared = snapshot.services.filter((service) => service.on).length;
  const used = snapshot.inlets.filter((inlet) => inlet.link.state === 'up').length;
  if (shared > 0 && used > 0) return `Sharing ${shared}, using ${used}`;
  if (shared > 0) return `Sharing ${count(shared, 'service')}`;
  if (used > 0) return `Using ${count(used, 'service')}`;
  return 'Ready';
}

/** The number of invitations and knocks that need an answer. */
export function attention(snapshot: Snapshot): number {
  return snapshot.knocks.length + snapshot.invitations.filter(({ state }) => state.state === 'new').length;
}
