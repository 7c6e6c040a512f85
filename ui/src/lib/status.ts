// The overall status in one line: the worst that is the case, with how many it concerns. Pure.

import { count } from './format';
import { isFailing } from './portal';
import type { Snapshot } from './types';

export type StatusLine = { tone: 'good' | 'warn' | 'bad' | 'idle'; text: string };

export function statusLine(snapshot: Snapshot): StatusLine {
  const problems = problemText(snapshot);
  switch (snapshot.status) {
    case 'paused':
      return { tone: 'idle', text: 'Everything is paused' };
    case 'offline':
      return { tone: 'bad', text: 'Offline' };
    case 'attention':
      return { tone: problems ? 'bad' : 'warn', text: attentionText(snapshot, problems) };
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

/** `2 services down`, `1 portal down`, `1 service and 2 portals down`; nothing while all work. */
export function problemText(snapshot: Snapshot): string {
  if (snapshot.paused) return '';
  const services = snapshot.services.filter(({ on, health }) => on && health.state === 'down').length;
  const portals = snapshot.inlets.filter(isFailing).length;
  const parts = [services > 0 && count(services, 'service'), portals > 0 && count(portals, 'portal')].filter(Boolean);
  return parts.length > 0 ? `${parts.join(' and ')} down` : '';
}

function attentionText(snapshot: Snapshot, problems: string): string {
  const pending = attention(snapshot);
  const parts = [problems, pending > 0 ? `${count(pending, 'request')} waiting` : ''].filter(Boolean);
  return parts.join(' · ') || 'Needs attention';
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
