// Guesses name, protocol and icon of a service from its port. Pure.

import type { ServiceKind } from './types';

export type Glyph = 'globe' | 'database' | 'terminal' | 'notebook' | 'plug' | 'screen';

const NAMES: Record<number, [string, ServiceKind, Glyph]> = {
  22: ['SSH', 'tcp', 'terminal'],
  80: ['Web site', 'http', 'globe'],
  443: ['Web site', 'https', 'globe'],
  1433: ['SQL Server', 'tcp', 'database'],
  3000: ['Dev server', 'http', 'globe'],
  3306: ['MySQL', 'tcp', 'database'],
  3389: ['Remote desktop', 'tcp', 'screen'],
  4200: ['Dev server', 'http', 'globe'],
  5000: ['Dev server', 'http', 'globe'],
  5173: ['Dev server', 'http', 'globe'],
  5432: ['PostgreSQL', 'tcp', 'database'],
  5900: ['Screen', 'tcp', 'screen'],
  6379: ['Redis', 'tcp', 'database'],
  8000: ['Dev server', 'http', 'globe'],
  8080: ['Web site', 'http', 'globe'],
  8443: ['Web site', 'https', 'globe'],
  8888: ['Notebook', 'http', 'notebook'],
  9092: ['Kafka', 'tcp', 'database'],
  27017: ['MongoDB', 'tcp', 'database'],
};

/** The port at the end of `host:port`, `[::1]:22`, or of a bare port. */
export function portOf(target: string): number | null {
  const digits = /(?:^|:)(\d{1,5})$/u.exec(target.trim())?.[1];
  const port = Number(digits);
  return digits && port >= 1 && port <= 65535 ? port : null;
}

/** Name and protocol to propose for a target. */
export function guessService(target: string): { name: string; kind: ServiceKind } {
  const port = portOf(target);
  const known = port === null ? undefined : NAMES[port];
  if (known) return { name: known[0], kind: known[1] };
  return { name: port === null ? '' : `Port ${port}`, kind: 'tcp' };
}

/** The icon for a service. */
export function serviceGlyph(kind: ServiceKind, target: string): Glyph {
  const known = NAMES[portOf(target) ?? 0];
  if (known && known[1] === kind) return known[2];
  return kind === 'tcp' ? 'plug' : 'globe';
}

export const KINDS: { kind: ServiceKind; name: string }[] = [
  { kind: 'http', name: 'HTTP' },
  { kind: 'https', name: 'HTTPS' },
  { kind: 'tcp', name: 'TCP' },
];
