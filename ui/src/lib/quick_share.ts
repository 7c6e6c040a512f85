// Sharing with one click: a service for a listening port, a link to it, and the link in the clipboard.

import { portOf } from './service';
import { store } from './store.svelte';
import { toTerms, UNLIMITED } from './terms';
import type { InvitationId, ListeningPort, ServiceId, ServiceKind, Snapshot } from './types';

export type QuickShare = { service: ServiceId; invitation: InvitationId; link: string | null; copied: boolean };

/** Whether two targets are the same port of this computer. */
function isSame(target: string, other: string): boolean {
  const local = (text: string) => /^(?:(?:localhost|127\.0\.0\.1|\[::1\]):)?\d+$/u.test(text);
  return target === other || (local(target) && local(other) && portOf(target) === portOf(other));
}

/** The proposed name, or one with the port if another service has it. */
export function quickName(snapshot: Snapshot, port: ListeningPort): string {
  const taken = new Set(snapshot.services.map(({ name }) => name.toLowerCase()));
  return taken.has(port.name.toLowerCase()) ? `${port.name} ${port.port}` : port.name;
}

/** Shares the target, unless it is shared already, and copies a link for one person. Rejects with a `Fault`. */
export async function quickShare(snapshot: Snapshot, target: string, port: ListeningPort): Promise<QuickShare> {
  const there = snapshot.services.find((s) => isSame(s.target, target));
  if (there && !there.on) await store.send({ request: 'set-service', service: there.id, on: true });
  const service = there?.id ?? (await share(snapshot, target, port));
  const made = await store.send({
    request: 'invite',
    service,
    to: { to: 'link', note: null },
    ask_first: false,
    valid_for: null,
    terms: toTerms(UNLIMITED, Date.now()),
  });
  if (made.answer !== 'invitation') throw { code: 'failed', message: 'The link could not be made. Try again.' };
  const copied = made.link !== null && (await store.copy(made.link, 'Link'));
  return { service, invitation: made.invitation, link: made.link, copied };
}

/** What the program speaks: where neither its port nor its name say it, the engine asks it once. */
async function protocol(port: ListeningPort): Promise<ServiceKind> {
  if (port.kind !== 'tcp') return port.kind;
  try {
    const answer = await store.send({ request: 'protocol', port: port.port });
    return answer.answer === 'protocol' ? answer.kind : port.kind;
  } catch {
    // Sharing works without knowing it.
    return port.kind;
  }
}

async function share(snapshot: Snapshot, target: string, port: ListeningPort): Promise<ServiceId> {
  const kind = await protocol(port);
  const made = await store.send({ request: 'share', name: quickName(snapshot, port), kind, target, path: null, description: null });
  if (made.answer !== 'service') throw { code: 'failed', message: 'The service could not be shared. Try again.' };
  return made.service;
}
