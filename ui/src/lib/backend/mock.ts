// The twin of the real backend, for a browser: plays a scene, and answers requests the way the engine would.

import type {
  Answer,
  Fault,
  InvitationPreview,
  Notice,
  Receipt,
  Request,
  SentView,
  ServiceView,
  Snapshot,
  Traffic,
} from '../types';
import type { Backend, Listeners } from './backend';
import { FIXTURES, type Fixture } from './fixtures';
import { base, contact, DAY, fault, identifier, inlet, fixture as blank, person, sent, service } from './fixtures/builders';
import { traffic } from './fixtures/normal';
import type { Navigate, ShellAction, ShellState } from './shell';

const DELAY_MS = 40;
const TRAFFIC_MS = 500;
const LINK = 'postern://join/';

/** What tests reach through `window.mock`. */
export type MockControls = {
  requests: Request[];
  actions: ShellAction[];
  /** The next request of this name fails. */
  fail(request: Request['request'], fault: Fault): void;
  notice(notice: Notice): void;
  navigate(to: Navigate): void;
  /** The engine ends, or is back. */
  engine(fault: Fault | null): void;
  /** What the next file dialog comes to: a path, nothing, or a fault. */
  chooses(answer: string | null | Fault): void;
  change(change: (snapshot: Snapshot) => void): void;
};

declare global {
  interface Window {
    mock?: MockControls;
  }
}

export function mock(name: string): Backend {
  const played = (FIXTURES[name] ?? FIXTURES['home']!)(Date.now());
  const backend = new Mock(played);
  window.mock = backend.controls;
  return backend;
}

class Mock implements Backend {
  readonly controls: MockControls;
  #fixture: Fixture;
  #snapshot: Snapshot | null;
  #shell: ShellState;
  #receipts: Receipt[];
  #listeners: Listeners | null = null;
  #failures = new Map<string, Fault>();
  #next = 1;
  #chosen: string | null | Fault = null;

  constructor(played: Fixture) {
    this.#fixture = played;
    this.#snapshot = played.snapshot;
    this.#shell = played.shell;
    this.#receipts = played.receipts;
    this.controls = {
      requests: [],
      actions: [],
      fail: (request, why) => void this.#failures.set(request, why),
      notice: (notice) => this.#listeners?.notice(notice),
      navigate: (to) => this.#listeners?.navigate(to),
      engine: (why) => {
        this.#shell = { ...this.#shell, fault: why };
        this.#listeners?.shell();
      },
      chooses: (answer) => void (this.#chosen = answer),
      change: (change) => {
        change(this.#snapshot!);
        this.#emit();
      },
    };
  }

  async listen(listeners: Listeners): Promise<void> {
    this.#listeners = listeners;
    for (const past of this.#fixture.past) listeners.traffic(past);
    if (this.#fixture.moves) {
      setInterval(() => this.#snapshot && listeners.traffic(this.#traffic()), TRAFFIC_MS);
    }
  }

  #traffic(): Traffic {
    return traffic(this.#snapshot ?? base(), Date.now());
  }

  async snapshot(): Promise<{ snapshot: Snapshot; traffic: Traffic }> {
    if (this.#fixture.waits) return new Promise(() => {});
    if (this.#shell.fault || !this.#snapshot) throw this.#shell.fault;
    return { snapshot: structuredClone(this.#snapshot), traffic: this.#traffic() };
  }

  async shellState(): Promise<ShellState> {
    return this.#shell;
  }

  async shell(action: ShellAction): Promise<ShellState> {
    this.controls.actions.push(action);
    await delay();
    this.#fail(action.action);
    switch (action.action) {
      case 'set-autostart':
        this.#shell = { ...this.#shell, autostart: action.on };
        break;
      case 'set-notifications':
        this.#shell = { ...this.#shell, notifications: action.on };
        break;
      case 'copy':
        await navigator.clipboard?.writeText(action.text).catch(() => {});
        break;
      case 'retry-start':
        this.#shell = { ...this.#shell, fault: null };
        this.#snapshot ??= FIXTURES['home']!(Date.now()).snapshot;
        this.#emit();
        break;
      default:
        break;
    }
    return this.#shell;
  }

  async saveAs(name: string): Promise<string | null> {
    await delay();
    const chosen = this.#chosen;
    if (chosen && typeof chosen === 'object') throw chosen;
    return chosen && `${chosen}/${name}`;
  }

  async request(request: Request): Promise<Answer> {
    this.controls.requests.push(structuredClone(request));
    await delay();
    this.#fail(request.request);
    const answer = this.#answer(request, this.#snapshot ?? blank(base()).snapshot!, Date.now());
    this.#emit();
    return answer;
  }

  #fail(name: string): void {
    const why = this.#failures.get(name);
    this.#failures.delete(name);
    if (why) throw why;
  }

  #emit(): void {
    const s = this.#snapshot;
    if (!s) return;
    if (s.me) s.status = status(s);
    this.#listeners?.snapshot(structuredClone(s));
  }

  #id(prefix: string): string {
    return `${prefix}-new-${this.#next++}`;
  }

  #receipt(deed: Receipt['deed']): void {
    const number = (this.#receipts[0]?.number ?? 0) + 1;
    this.#receipts = [{ number, at: Date.now(), deed, hash: identifier(String(number)) }, ...this.#receipts];
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
      case 'pause-all':
        s.paused = request.on;
        for (const hub of s.hubs) hub.link = request.on ? { state: 'off' } : { state: 'up' };
        for (const view of s.inlets) if (view.on) view.link = request.on ? { state: 'off' } : { state: 'connecting' };
        return done;
      case 'share': {
        if (s.services.some((other) => other.name === request.name)) throw fault('name-taken', `You share “${request.name}” already. Choose another name.`);
        const id = this.#id('service');
        s.services.push(service(id, request.name, request.target, now, { kind: request.kind, path: request.path, description: request.description, created: now }));
        this.#receipt({ deed: 'service', service: request.name, what: 'shared' });
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
        this.#receipt({ deed: 'service', service: view.name, what: request.on ? 'resumed' : 'paused' });
        return done;
      }
      case 'close-service':
        this.#receipt({ deed: 'service', service: find(s.services, request.service).name, what: 'closed' });
        s.services = s.services.filter((view) => view.id !== request.service);
        return done;
      case 'invite': {
        const view = find(s.services, request.service);
        const id = this.#id('sent');
        const to = request.to.to === 'contact' ? request.to.person : null;
        const name = request.to.to === 'link' ? request.to.note : (s.contacts.find((c) => c.identifier === to)?.name ?? null);
        view.invitations.push(
          sent(id, now, { to, name, ask_first: request.ask_first, terms: request.terms, created: now, expires: now + (request.valid_for ? request.valid_for * 1000 : 7 * DAY), state: to ? 'delivered' : 'created' }),
        );
        this.#receipt({ deed: 'invitation', service: view.name, person: to, name, what: 'made' });
        return { answer: 'invitation', invitation: id, link: to ? null : link(id) };
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
        if (s.inlets.some((i) => i.port === port)) throw fault('port-taken', `Port ${port} is used already. Choose another one.`);
        view.state = { state: 'accepting', fault: null };
        setTimeout(() => {
          s.invitations = s.invitations.filter((i) => i.id !== request.invitation);
          s.inlets.push(inlet(this.#id('inlet'), view.service_name, view.owner_name, port, { kind: view.kind, owner: view.owner, description: view.description }));
          if (!s.contacts.some((c) => c.identifier === view.owner)) s.contacts.push(contact(view.owner_name, now, { identifier: view.owner, words: view.words, since: now }));
          this.#emit();
        }, 300);
        return done;
      }
      case 'decline':
        s.invitations = s.invitations.filter((i) => i.id !== request.invitation);
        return done;
      case 'change-inlet': {
        const view = find(s.inlets, request.inlet);
        if (request.port !== null && s.inlets.some((i) => i !== view && i.port === request.port)) throw fault('port-taken', `Port ${request.port} is used already. Choose another one.`);
        view.name = request.name ?? view.name;
        view.port = request.port ?? view.port;
        view.address = `127.0.0.1:${view.port}`;
        return done;
      }
      case 'set-inlet': {
        const view = find(s.inlets, request.inlet);
        view.on = request.on;
        view.link = request.on ? { state: 'up', way: { by: 'hub', address: 'hub.example.org:4000' }, round_trip_ms: 41 } : { state: 'off' };
        if (!request.on) view.live = 0;
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
        return { answer: 'ports', ports: this.#fixture.ports };
      case 'log': {
        const below = request.before ?? Infinity;
        return { answer: 'receipts', receipts: this.#receipts.filter((r) => r.number < below).slice(0, request.limit), intact: true };
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

function status(s: Snapshot): Snapshot['status'] {
  if (s.paused) return 'paused';
  if (s.knocks.length + s.invitations.filter((i) => i.state.state === 'new').length + s.troubles.length > 0) return 'attention';
  if (s.hubs.length > 0 && s.hubs.every((hub) => hub.link.state === 'down')) return 'offline';
  if ([...s.services, ...s.inlets].some((view) => view.live > 0)) return 'live';
  return s.services.length + s.inlets.length > 0 ? 'ready' : 'idle';
}

function cut(view: ServiceView): void {
  view.live = 0;
  for (const one of view.people) one.live = 0;
}

function find<T extends { id: string }>(all: T[], id: string): T {
  const one = all.find((view) => view.id === id);
  if (!one) throw fault('not-found', 'It is not there any more.');
  return one;
}

function invitationOf(s: Snapshot, id: string): SentView {
  return find(s.services.flatMap((view) => view.invitations), id);
}

function grantOf(s: Snapshot, id: string) {
  const grant = s.services.flatMap((view) => view.people).find((p) => p.grant === id);
  if (!grant) throw fault('not-found', 'This access is not there any more.');
  return grant;
}

function contactOf(s: Snapshot, id: string) {
  const known = s.contacts.find((c) => c.identifier === id);
  if (!known) throw fault('not-found', 'This contact is not there any more.');
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
    words: 'spruce radio violin hop',
    service_name: 'Torpedo plans',
    kind: 'http',
    port: 8042,
    expires: now + 5 * DAY,
    fault: null,
  };
}

function delay(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, DELAY_MS));
}
