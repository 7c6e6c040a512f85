// What scenes are made of. Ids are readable here; the engine's are 32 hexadecimal digits.

import type {
  ContactView,
  Fault,
  InletLink,
  InletView,
  ListeningPort,
  PersonView,
  AuditEntry,
  SentView,
  ServiceView,
  Snapshot,
  Terms,
  Traffic,
} from '../../types';
import type { ShellState } from '../shell';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export type Scene = {
  /** Absent: there is no engine. */
  snapshot: Snapshot | null;
  shell: ShellState;
  ports: ListeningPort[];
  receipts: AuditEntry[];
  /** What flowed before the window opened, oldest first. */
  past: Traffic[];
  /** Whether traffic goes on. */
  moves: boolean;
  /** The snapshot never comes. */
  waits: boolean;
};

export const TERMS: Terms = { until: null, until_quit: false, connections: null };

export function identifier(of: string): string {
  let text = '';
  let seed = 7;
  for (const letter of of) seed = (seed * 31 + letter.codePointAt(0)!) >>> 0;
  for (let i = 0; i < 8; i += 1) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    text += seed.toString(16).padStart(8, '0');
  }
  return `I${text}`;
}

export function fault(code: Fault['code'], message: string): Fault {
  return { code, message };
}

export function contact(name: string, now: number, more: Partial<ContactView> = {}): ContactView {
  return {
    identifier: identifier(name),
    name,
    own_name: name,
    words: 'amber falcon river stone',
    verified: false,
    blocked: false,
    key_changed: false,
    can_be_mailed: true,
    since: now - 40 * DAY,
    ...more,
  };
}

export function person(name: string, service: string, more: Partial<PersonView> = {}): PersonView {
  return {
    grant: `grant-${service}-${name}`,
    person: identifier(name),
    name,
    verified: false,
    state: 'active',
    terms: TERMS,
    last_used: null,
    live: 0,
    ...more,
  };
}

export function sent(id: string, now: number, more: Partial<SentView> = {}): SentView {
  return {
    id,
    to: null,
    name: null,
    state: 'created',
    ask_first: false,
    terms: TERMS,
    created: now - 2 * HOUR,
    expires: now + 7 * DAY - 2 * HOUR,
    ...more,
  };
}

export function service(id: string, name: string, target: string, now: number, more: Partial<ServiceView> = {}): ServiceView {
  return {
    id,
    name,
    kind: 'tcp',
    target,
    path: null,
    description: null,
    on: true,
    health: { state: 'up' },
    people: [],
    invitations: [],
    live: 0,
    created: now - 12 * DAY,
    ...more,
  };
}

export const UP: InletLink = { state: 'up', way: { by: 'hub', address: 'hub.example.org:4000' }, round_trip_ms: 38 };
export const DIRECT: InletLink = { state: 'up', way: { by: 'direct', address: '192.168.1.23:41311' }, round_trip_ms: 2 };

export function inlet(id: string, name: string, owner: string, port: number, more: Partial<InletView> = {}): InletView {
  const kind = more.kind ?? 'tcp';
  return {
    id,
    owner: identifier(owner),
    owner_name: owner,
    owner_verified: false,
    name,
    service_name: name,
    kind,
    description: null,
    port,
    address: `127.0.0.1:${port}`,
    url: kind === 'tcp' ? null : `${kind}://127.0.0.1:${port}/`,
    on: true,
    link: UP,
    live: 0,
    expires: null,
    ...more,
  };
}

export function base(): Snapshot {
  return {
    me: { identifier: identifier('Ada Lovelace'), name: 'Ada Lovelace' },
    status: 'idle',
    paused: false,
    this_computer: { on: true, addresses: ['192.168.1.20:40725'], fault: null },
    hubs: [{ address: 'hub.example.org:4000', link: { state: 'up' }, identifier: identifier('hub') }],
    services: [],
    inlets: [],
    invitations: [],
    knocks: [],
    contacts: [],
    settings: { keychain: 'os', data_dir: '/home/ada/.local/share/postern', retention_days: 90, version: '0.1.0' },
    troubles: [],
  };
}

export const SHELL: ShellState = {
  autostart: true,
  notifications: true,
  platform: 'linux',
  version: '0.1.0',
  log_file: '/home/ada/.local/state/postern/postern.log',
  fault: null,
};

export const PORTS: ListeningPort[] = [
  { port: 22, address: '0.0.0.0', program: 'sshd', process: 812, kind: 'tcp', name: 'SSH' },
  { port: 3000, address: '127.0.0.1', program: 'node', process: 24_120, kind: 'http', name: 'Dev server' },
  { port: 5432, address: '127.0.0.1', program: 'postgres', process: 1123, kind: 'tcp', name: 'PostgreSQL' },
  { port: 6379, address: '127.0.0.1', program: 'redis-server', process: 1140, kind: 'tcp', name: 'Redis' },
  { port: 8888, address: '127.0.0.1', program: 'jupyter-lab', process: 30_218, kind: 'http', name: 'Notebook' },
  { port: 9000, address: '::1', program: null, process: null, kind: 'tcp', name: 'Port 9000' },
];

export function scene(snapshot: Snapshot | null, more: Partial<Scene> = {}): Scene {
  return { snapshot, shell: SHELL, ports: PORTS, receipts: [], past: [], moves: false, waits: false, ...more };
}
