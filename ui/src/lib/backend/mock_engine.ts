// The mock's engine: answers requests and changes its snapshot the way the real engine would.

import { isFailing } from '../portal';
import type { Answer, InletLink, InvitationPreview, ListeningPort, AuditEntry, Request, SentView, ServiceView, Snapshot } from '../types';
import type { Fixture } from './fixtures';
import { base, contact, DAY, fault, identifier, inlet, label, person, sent, service, UP } from './fixtures/builders';

const LINK = 'postern://join/';
/** How long setting up an accepted invitation takes: long enough that tests see it in progress. */
const ACCEPT_MS = 300;

export class MockEngine {
  /** Null while the engine does not run. */
  snapshot: Snapshot | null;
  #auditLog: AuditEntry[];
  #ports: ListeningPort[];
  #changed: () => void;
  #next = 1;

  /** `changed` is called after changes that no request caused. */
  constructor(fixture: Fixture, changed: () => void) {
    this.snapshot = fixture.snapshot;
    this.#auditLog = fixture.auditLog;
    this.#ports = fixture.ports;
    this.#changed = changed;
  }

  /** Throws a `Fault`. */
  request(request: Request): Answer {
    return this.#answer(request, this.snapshot ?? base(), Date.now());
  }

  #id(prefix: string): string {
    return `${prefix}-new-${this.#next++}`;
  }

  #audit(deed: AuditEntry['deed']): void {
    const number = (this.#auditLog[0]?.number ?? 0) + 1;
    this.#auditLog = [{ number, at: Date.now(), deed, hash: identifier(String(number)) }, ...this.#auditLog];
  }

  #answer(request: Request, s: Snapshot, now: number): Answer {
    const done: Answer = { answer: 'done' };
    switch (request.request) {
      case 'set-up':
        if (request.hubs.some((hub) => !/:\d+$/u.test(hub))) throw fault('invalid', 'A hub’s address is host:port, for instance hub.example.org:4000.');
        s.me = { identifier: identifier(request.name), name: request.name };
        s.hubs = request.hubs.map((address) => ({ address, link: { state: 'up' }, identifier: identifier(address) }));
        s.this_computer = { on: request.this_computer, addresses: request.this_computer ? ['192.168.1.20:40725'] : [], fault: null };
        return done;
      case 'rename':
        s.me!.name = request.name;
        return done;
      case 'add-hub':
        if (!/^[^\s:]+:\d+$/u.test(request.address)) throw fault('invalid', 'A hub’s address is host:port, for instance hub.example.org:4000.');
        s.hubs.push({ address: request.address, link: { state: 'connecting' }, identifier: null });
        return done;
      case 'remove-hub':
        s.hubs = s.hubs.filter((hub) => hub.address !== request.address);
        return done;
      case 'set-this-computer':
        s.this_computer = { on: request.on, addresses: request.on ? ['192.168.1.20:40725'] : [], fault: null };
        return done;
      case 'set-retention':
        s.settings.retention_days = request.days;
        return done;
      case 'set-web-links':
        if (request.base) s.settings.web_links = request.base;
        else delete s.settings.web_links;
        return done;
      case 'pause-all':
        s.paused = request.on;
        for (const hub of s.hubs) hub.link = request.on ? { state: 'off' } : { state: 'up' };
        for (const view of s.inlets) if (view.on) view.link = request.on ? { state: 'off' } : { state: 'connecting' };
        return done;
      case 'share': {
        if (s.services.some((other) => other.name === request.name)) throw fault('name-taken', `You already share “${request.name}”. Choose another name.`);
        const id = this.#id('service');
        s.services.push(service(id, request.name, request.target, now, { kind: request.kind, path: request.path, description: request.description, created: now }));
        this.#audit({ deed: 'service', service: request.name, what: 'shared' });
        return { answer: 'service', service: id };
      }
      case 'change-service': {
        const view = find(s.services, request.service);
        const { name, kind, target, path, description } = request.patch;
        Object.assign(view, { name: name ?? view.name, kind: kind ?? view.kind, target: target ?? view.target });
        if (path !== null) view.path = path || null;
        if (description !== null) view.description = description || null;
        return done;
      }
      case 'set-service': {
        const view = find(s.services, request.service);
        view.on = request.on;
        if (!request.on) cut(view);
        this.#audit({ deed: 'service', service: view.name, what: request.on ? 'resumed' : 'paused' });
        return done;
      }
      case 'close-service':
        this.#audit({ deed: 'service', service: find(s.services, request.service).name, what: 'closed' });
        s.services = s.services.filter((view) => view.id !== request.service);
        return done;
      case 'invite': {
        const view = find(s.services, request.service);
        const id = this.#id('sent');
        const to = request.to.to === 'contact' ? request.to.person : null;
        const name = request.to.to !== 'contact' ? request.to.note : (s.contacts.find((c) => c.identifier === to)?.name ?? null);
        view.invitations.push(
          sent(id, now, { to, name, ask_first: request.ask_first, terms: request.terms, created: now, expires: now + (request.valid_for ? request.valid_for * 1000 : 7 * DAY), state: to ? 'delivered' : 'created' }),
        );
        this.#audit({ deed: 'invitation', service: view.name, person: to, name, what: 'made' });
        const page = request.to.to === 'web-link' ? (request.to.base ?? s.settings.web_links ?? '') : null;
        return { answer: 'invitation', invitation: id, link: to ? null : page === null ? link(id) : link(id).replace('postern://', `${page}#`) };
      }
      case 'invitation-link':
        return { answer: 'invitation', invitation: request.invitation, link: link(request.invitation) };
      case 'resend': {
        const view = invitationOf(s, request.invitation);
        view.expires = now + 7 * DAY;
        view.state = view.to ? 'delivered' : 'created';
        return { answer: 'invitation', invitation: view.id, link: view.to ? null : link(view.id) };
      }
      case 'revoke-invitation':
        for (const view of s.services) view.invitations = view.invitations.filter((i) => i.id !== request.invitation);
        return done;
      case 'answer-knock': {
        const knock = s.knocks.find((k) => k.invitation === request.invitation);
        s.knocks = s.knocks.filter((k) => k !== knock);
        if (knock && request.answer !== 'deny') {
          const view = find(s.services, knock.service);
          view.invitations = view.invitations.filter((i) => i.id !== knock.invitation);
          const terms = { until: null, until_quit: request.answer === 'once', connections: null };
          view.people.push(person(knock.name, view.id, { terms }));
          if (!s.contacts.some((c) => c.identifier === knock.person)) {
            s.contacts.push(contact(knock.name, now, { identifier: knock.person, words: knock.words }));
          }
        }
        return done;
      }
      case 'change-grant':
        grantOf(s, request.grant).terms = request.terms;
        return done;
      case 'pause-grant': {
        const grant = grantOf(s, request.grant);
        grant.state = request.on ? 'paused' : 'active';
        if (request.on) grant.live = 0;
        return done;
      }
      case 'revoke-grant':
        for (const view of s.services) view.people = view.people.filter((p) => p.grant !== request.grant);
        return done;
      case 'preview':
      case 'open': {
        const preview = previewOf(request.link, now);
        if (request.request === 'open' && !preview.fault) {
          s.invitations.push({
            id: preview.invitation,
            owner: preview.owner,
            owner_name: preview.owner_name,
            owner_known: false,
            owner_verified: false,
            words: preview.words ?? '',
            service_name: preview.service_name,
            kind: preview.kind,
            description: null,
            port: preview.port,
            expires: preview.expires,
            state: { state: 'new' },
          });
        }
        return { answer: 'preview', preview };
      }
      case 'accept': {
        const view = s.invitations.find((i) => i.id === request.invitation)!;
        const port = request.port ?? view.port;
        if (s.inlets.some((i) => i.port === port)) throw fault('port-taken', `Port ${port} is already in use. Choose another one.`);
        view.state = { state: 'accepting', fault: null };
        setTimeout(() => {
          s.invitations = s.invitations.filter((i) => i.id !== request.invitation);
          const down = this.#ports.some((p) => p.port === port);
          const link: InletLink = down ? { state: 'down', fault: fault('port-taken', `Port ${port} is used by another program. Stop it or choose another port.`), since: now } : UP;
          s.inlets.push(
            inlet(this.#id('inlet'), view.service_name, view.owner_name, port, { kind: view.kind, owner: view.owner, description: view.description, invitation: view.id, link }),
          );
          if (!s.contacts.some((c) => c.identifier === view.owner)) s.contacts.push(contact(view.owner_name, now, { identifier: view.owner, words: view.words, since: now }));
          this.#changed();
        }, ACCEPT_MS);
        return done;
      }
      case 'decline':
        s.invitations = s.invitations.filter((i) => i.id !== request.invitation);
        return done;
      case 'change-inlet': {
        const view = find(s.inlets, request.inlet);
        if (request.port !== null && s.inlets.some((i) => i !== view && i.port === request.port)) throw fault('port-taken', `Port ${request.port} is already in use. Choose another one.`);
        view.name = request.name ?? view.name;
        if (request.port !== null && view.link.state === 'down' && view.link.fault.code === 'port-taken') view.link = UP;
        view.port = request.port ?? view.port;
        view.address = `127.0.0.1:${view.port}`;
        if (view.url !== null) view.url = `${view.kind}://${view.host ?? 'localhost'}:${view.port}/`;
        return done;
      }
      case 'set-inlet': {
        const view = find(s.inlets, request.inlet);
        view.on = request.on;
        view.link = request.on ? { state: 'up', way: { by: 'hub', address: 'hub.example.org:4000' }, round_trip_ms: 41 } : { state: 'off' };
        if (!request.on) view.live = 0;
        return done;
      }
      case 'set-inlet-check': {
        const view = find(s.inlets, request.inlet);
        view.checked = request.on;
        view.host = request.on ? `${label(view.service_name)}.${label(view.owner_name)}.localhost` : null;
        view.url = `${view.kind}://${view.host ?? 'localhost'}:${view.port}/`;
        return done;
      }
      case 'remove-inlet':
        s.inlets = s.inlets.filter((view) => view.id !== request.inlet);
        return done;
      case 'rename-contact':
        contactOf(s, request.person).name = request.name;
        return done;
      case 'verify': {
        const known = contactOf(s, request.person);
        known.verified = request.verified;
        known.key_changed = false;
        delete known.verify_again;
        delete known.key_refused;
        return done;
      }
      case 'block': {
        const known = s.contacts.find((c) => c.identifier === request.person);
        if (known) known.blocked = request.on;
        if (request.on) s.invitations = s.invitations.filter((i) => i.owner !== request.person);
        return done;
      }
      case 'forget':
        s.contacts = s.contacts.filter((c) => c.identifier !== request.person);
        return done;
      case 'retry':
        return done;
      case 'ports':
        return { answer: 'ports', ports: this.#ports };
      case 'free-port': {
        const used = (port: number) => s.inlets.some((i) => i.port === port) || this.#ports.some((p) => p.port === port);
        let port = request.port;
        while (used(port)) port += 1;
        return { answer: 'free-port', port };
      }
      case 'protocol':
        return { answer: 'protocol', kind: this.#ports.some((p) => p.port === request.port && p.name.startsWith('Port')) ? 'http' : 'tcp' };
      case 'log': {
        const below = request.before ?? Infinity;
        return { answer: 'receipts', receipts: this.#auditLog.filter((r) => r.number < below).slice(0, request.limit), intact: true };
      }
      case 'verify-log': {
        const entries = this.#auditLog.length;
        return { answer: 'log-verified', intact: true, entries, authenticated: entries, problems: [], remarks: [] };
      }
      case 'doctor':
        return {
          answer: 'findings',
          findings: [
            ...s.services
              .filter((view) => view.health.state === 'down')
              .map((view) => ({ severity: 'warning' as const, subject: 'service', message: `${view.name} does not answer.`, advice: `Start what listens at ${view.target}.` })),
            { severity: 'good', subject: 'keychain', message: 'The keychain answers, and your key is in it.', advice: null },
            { severity: 'good', subject: 'hub', message: 'Every hub is reached.', advice: null },
            { severity: 'good', subject: 'clock', message: 'This computer’s clock is right.', advice: null },
          ],
        };
      case 'backup':
        if (request.passphrase.length < 8) throw fault('invalid', 'The passphrase needs at least 8 characters.');
        return done;
    }
  }
}

/** The status that follows from the other fields. */
export function status(s: Snapshot): Snapshot['status'] {
  const waits = s.knocks.length + s.invitations.filter((i) => i.state.state === 'new').length + s.troubles.length > 0;
  if (waits || s.contacts.some((c) => c.verify_again)) return 'attention';
  if (s.paused) return 'paused';
  if (s.services.length + s.inlets.length === 0) return 'idle';
  if (s.hubs.length > 0 && s.hubs.every((hub) => hub.link.state === 'down')) return 'offline';
  if (s.inlets.some(isFailing) || s.services.some((view) => view.on && view.health.state === 'down')) return 'attention';
  if ([...s.services, ...s.inlets].some((view) => view.live > 0)) return 'live';
  return 'ready';
}

function cut(view: ServiceView): void {
  view.live = 0;
  for (const one of view.people) one.live = 0;
}

function find<T extends { id: string }>(all: T[], id: string): T {
  const one = all.find((view) => view.id === id);
  if (!one) throw fault('not-found', 'It no longer exists.');
  return one;
}

function invitationOf(s: Snapshot, id: string): SentView {
  return find(s.services.flatMap((view) => view.invitations), id);
}

function grantOf(s: Snapshot, id: string) {
  const grant = s.services.flatMap((view) => view.people).find((p) => p.grant === id);
  if (!grant) throw fault('not-found', 'This access no longer exists.');
  return grant;
}

function contactOf(s: Snapshot, id: string) {
  const known = s.contacts.find((c) => c.identifier === id);
  if (!known) throw fault('not-found', 'This contact no longer exists.');
  return known;
}

function link(id: string): string {
  return `${LINK}AQEC${identifier(id).slice(1)}${identifier(`${id}secret`).slice(1)}${identifier(`${id}route`).slice(1)}`;
}

function previewOf(text: string, now: number): InvitationPreview {
  if (!text.startsWith(LINK)) throw fault('bad-ticket', 'This is not an invitation. Copy the whole link; it begins with postern://join/.');
  return {
    invitation: `received-${text.slice(-6)}`,
    owner: identifier('Hedy Lamarr'),
    owner_name: 'Hedy Lamarr',
    owner_known: false,
    words: 'spruce radio violin hop ocean table nephew glide',
    service_name: 'Torpedo plans',
    kind: 'http',
    port: 8042,
    expires: now + 5 * DAY,
    fault: null,
  };
}
