// A person with a few services, a few friends: everything well, busy, paused.

import type { AuditEntry, Snapshot, Traffic } from '../../types';
import { base, contact, DAY, DIRECT, HOUR, identifier, inlet, MINUTE, person, scene, type Scene, sent, service, TERMS } from './build';

export function home(now: number): Scene {
  return scene(everyday(now), { receipts: receipts(now) });
}

export function everyday(now: number): Snapshot {
  return {
    ...base(),
    status: 'ready',
    services: [
      service('notebook', 'Notebook', 'localhost:8888', now, {
        kind: 'http',
        path: '/lab',
        description: 'The figures for the paper. Please do not restart the kernel.',
        people: [
          person('Grace Hopper', 'notebook', { verified: true, last_used: now - 12 * MINUTE }),
          person('Alan Turing', 'notebook', { terms: { ...TERMS, until: now + 3 * DAY }, last_used: now - 26 * HOUR }),
          person('Katherine Johnson', 'notebook', { state: 'paused', last_used: now - 6 * DAY }),
        ],
        invitations: [sent('sent-1', now, { name: 'Edsger, for the review' })],
      }),
      service('orders', 'Orders database', 'localhost:5432', now, {
        people: [person('Grace Hopper', 'orders', { verified: true, last_used: now - 2 * HOUR })],
        invitations: [sent('sent-2', now, { to: identifier('Margaret Hamilton'), name: 'Margaret Hamilton', state: 'seen', ask_first: true })],
      }),
      service('ssh', 'SSH', 'localhost:22', now, { on: false, created: now - 80 * DAY }),
    ],
    inlets: [
      inlet('staging', 'Staging site', 'Grace Hopper', 3000, { kind: 'http', owner_verified: true, link: DIRECT }),
      inlet('metrics', 'Metrics', 'Grace Hopper', 9090, {
        kind: 'http',
        owner_verified: true,
        description: 'Dashboards of the test cluster.',
        expires: now + 5 * DAY,
      }),
      inlet('bombe', 'Bombe', 'Alan Turing', 5433, { on: false, link: { state: 'off' } }),
    ],
    contacts: [
      contact('Grace Hopper', now, { verified: true, own_name: 'Grace' }),
      contact('Alan Turing', now, { words: 'copper meadow lantern oak', since: now - 3 * DAY }),
      contact('Katherine Johnson', now, { words: 'orbit maple signal dawn', can_be_mailed: false }),
      contact('Margaret Hamilton', now, { words: 'apollo thread cedar moon', verified: true }),
    ],
  };
}

export function busy(now: number): Scene {
  const snapshot = everyday(now);
  const [notebook, orders] = snapshot.services;
  notebook!.live = 3;
  notebook!.people[0]!.live = 2;
  notebook!.people[1]!.live = 1;
  orders!.live = 1;
  orders!.people[0]!.live = 1;
  snapshot.inlets[0]!.live = 2;
  snapshot.status = 'live';
  const past: Traffic[] = [];
  for (let at = now - 60_000; at <= now; at += 500) past.push(traffic(snapshot, at));
  return scene(snapshot, { receipts: receipts(now), past, moves: true });
}

export function paused(now: number): Scene {
  const snapshot = everyday(now);
  snapshot.paused = true;
  snapshot.status = 'paused';
  for (const hub of snapshot.hubs) hub.link = { state: 'off' };
  for (const view of snapshot.inlets) view.link = { state: 'off' };
  return scene(snapshot, { receipts: receipts(now) });
}

/** Waves instead of chance: a picture is the same twice. */
export function traffic(snapshot: Snapshot, at: number): Traffic {
  const wave = (phase: number, most: number) => {
    const t = at / 1000 + phase * 7;
    const swell = 0.55 + 0.3 * Math.sin(t / 5) + 0.15 * Math.sin(t * 1.7) + 0.1 * Math.sin(t * 4.1);
    return Math.max(0, swell * most);
  };
  const flow = (id: string, index: number, live: number) => {
    const down = live > 0 ? wave(index, 900_000 * (index + 1)) : 0;
    const up = live > 0 ? wave(index + 3, 120_000 * (index + 1)) : 0;
    return { id, up_bytes: 2_300_000 * (index + 1), down_bytes: 48_000_000 * (index + 1), up_rate: up, down_rate: down };
  };
  return {
    at,
    grants: snapshot.services.flatMap((s) => s.people).map((p, i) => flow(p.grant, i, p.live)),
    inlets: snapshot.inlets.map((view, i) => flow(view.id, i, view.live)),
  };
}

export function receipts(now: number, count = 120): AuditEntry[] {
  const grace = { person: identifier('Grace Hopper'), name: 'Grace Hopper' };
  const alan = { person: identifier('Alan Turing'), name: 'Alan Turing' };
  const deeds: AuditEntry['deed'][] = [
    { deed: 'connection', service: 'Notebook', ...grace, up_bytes: 48_200, down_bytes: 3_410_000, lasted_ms: 312_000, ended: null },
    { deed: 'connection', service: 'Orders database', ...grace, up_bytes: 9_120, down_bytes: 88_300, lasted_ms: 4_200, ended: null },
    { deed: 'grant', service: 'Notebook', person: identifier('Katherine Johnson'), name: 'Katherine Johnson', what: 'paused' },
    { deed: 'refused', service: 'Notebook', person: identifier('Katherine Johnson'), name: 'Katherine Johnson', code: 'paused-by-owner' },
    { deed: 'invitation', service: 'Notebook', ...alan, what: 'accepted' },
    { deed: 'contact', ...grace, what: 'verified' },
    { deed: 'connection', service: 'Notebook', ...alan, up_bytes: 1_204, down_bytes: 402_113, lasted_ms: 61_000, ended: 'the owner’s service closed it' },
    { deed: 'portal', portal: 'Metrics', owner: 'Grace Hopper', what: 'added' },
    { deed: 'invitation', service: 'Orders database', person: null, name: 'Margaret Hamilton', what: 'made' },
    { deed: 'service', service: 'Notebook', what: 'shared' },
  ];
  return Array.from({ length: count }, (_, i) => ({
    number: count - i,
    at: now - 12 * MINUTE - i * 2.6 * HOUR,
    deed: deeds[i % deeds.length]!,
    hash: identifier(String(count - i)).slice(1),
  }));
}
