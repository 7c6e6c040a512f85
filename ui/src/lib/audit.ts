// Audit entries as text: who, what, and the numbers. Pure. Names are separate pieces, so that they can be isolated.

import { bytes, lasted } from './format';
import type { IconName } from './components/icons';
import type { Code, AuditEvent, AuditEntry } from './types';

/** `name` is untrusted text (the name of a person or service), `text` is ours. */
export type Piece = { name: string } | { text: string };
export type AuditLine = { icon: IconName; tone: 'plain' | 'good' | 'bad'; pieces: Piece[]; detail: string };

const n = (name: string | null | undefined, other: string): Piece => (name ? { name } : { text: other });
const t = (text: string): Piece => ({ text });

const REFUSED: Partial<Record<Code, string>> = {
  revoked: 'access had ended',
  expired: 'access expired',
  'paused-by-owner': 'paused',
  paused: 'paused',
  blocked: 'blocked',
  'not-trusted': 'identity did not match',
  'key-changed': 'key changed',
  'too-many': 'too many connections',
  'ticket-used': 'link already used',
  'bad-ticket': 'not an invitation',
  'service-down': 'service not responding',
  denied: 'request denied',
};

export function describeEvent(deed: AuditEvent): AuditLine {
  switch (deed.deed) {
    case 'service':
      return {
        icon: deed.what === 'closed' ? 'close' : deed.what === 'paused' ? 'pause' : 'plus',
        tone: 'plain',
        pieces: deed.what in SERVICE ? [t(`${SERVICE[deed.what]} `), n(deed.service, 'a service')] : [n(deed.service, 'A service'), t(` ${deed.what}`)],
        detail: '',
      };
    case 'invitation':
      return {
        icon: deed.what === 'knocked' ? 'knock' : 'mail',
        tone: deed.what === 'accepted' ? 'good' : 'plain',
        pieces: invitation(deed.what, deed.name, deed.service),
        detail: '',
      };
    case 'grant':
      return {
        icon: deed.what === 'paused' ? 'pause' : deed.what === 'resumed' ? 'play' : 'key',
        tone: 'plain',
        pieces: grant(deed.what, deed.name, deed.service),
        detail: '',
      };
    case 'connection':
      return {
        icon: 'direct',
        tone: deed.ended ? 'bad' : 'plain',
        pieces: [n(deed.name, 'An unknown person'), t(' used '), n(deed.service, 'a service'), ...(deed.count ? [t(` ${deed.count} more times`)] : [])],
        detail: `${lasted(deed.lasted_ms)}, ↑ ${bytes(deed.down_bytes)} ↓ ${bytes(deed.up_bytes)}${deed.ended ? `, ended early: ${deed.ended}` : ''}`,
      };
    case 'refused':
      return {
        icon: 'block',
        tone: 'bad',
        pieces: [
          n(deed.name, 'An unknown person'),
          t(' was denied access'),
          ...(deed.service ? [t(' to '), n(deed.service, '')] : []),
          ...(deed.count ? [t(` ${deed.count} times`)] : []),
        ],
        detail: REFUSED[deed.code] ?? deed.code,
      };
    case 'portal':
      return {
        icon: 'plug',
        tone: deed.what === 'revoked' ? 'bad' : 'plain',
        pieces: [n(deed.portal, 'A portal'), t(' of '), n(deed.owner, 'an unknown person'), t(` ${portalWord(deed.what)}`)],
        detail: '',
      };
    case 'contact':
      return {
        icon: deed.what === 'blocked' ? 'block' : deed.what === 'verified' ? 'verified' : 'people',
        tone: deed.what === 'key-changed' ? 'bad' : deed.what === 'verified' ? 'good' : 'plain',
        pieces: [deed.what === 'key-changed' ? t('The key of ') : t(''), n(deed.name, 'An unknown person'), t(` ${contactWord(deed.what)}`)],
        detail: '',
      };
    case 'log':
      return {
        icon: 'activity',
        tone: ['key-started', 'restored', 'unprotected'].includes(deed.what) ? 'plain' : 'bad',
        pieces: [t(logText(deed.what, deed.first, deed.last))],
        detail: '',
      };
  }
}

function logText(what: string, first: number | null, last: number | null): string {
  const entries = first === null || last === null || last <= first ? `entry ${first ?? ''}` : `entries ${first} to ${last}`;
  switch (what) {
    case 'key-started':
      return 'From here on, this log is protected by your key';
    case 'restored':
      return 'A backup was restored';
    case 'unprotected':
      return 'Postern was not stopped in order: entries just before this one could have been removed unnoticed';
    case 'missing':
      return `Missing from this log: ${entries}. Somebody removed them, or put an older copy back`;
    case 'replaced':
      return `Replaced in this log: ${entries}`;
    default:
      return 'The file that protects this log was removed or changed';
  }
}

/** What the user did to a service. */
const SERVICE: Partial<Record<string, string>> = {
  shared: 'You shared',
  changed: 'You changed',
  paused: 'You switched off',
  resumed: 'You switched on',
  closed: 'You stopped sharing',
};

function portalWord(what: string): string {
  return { added: 'added', on: 'switched on', off: 'switched off', removed: 'removed', revoked: 'access ended by its owner' }[what] ?? what;
}

function contactWord(what: string): string {
  return (
    {
      verified: 'verified',
      unverified: 'no longer verified',
      blocked: 'blocked',
      unblocked: 'unblocked',
      'key-changed': 'has changed',
      forgotten: 'forgotten',
    }[what] ?? what
  );
}

function invitation(what: string, name: string | null, service: string): Piece[] {
  switch (what) {
    case 'made':
      return name ? [t('You invited '), n(name, ''), t(' to '), n(service, 'a service')] : [t('You made a link to '), n(service, 'a service')];
    case 'knocked':
      return [n(name, 'An unknown person'), t(' asked for access to '), n(service, 'a service')];
    case 'accepted':
      return [n(name, 'An unknown person'), t(' joined '), n(service, 'a service')];
    case 'declined':
      return [n(name, 'An unknown person'), t(' declined '), n(service, 'a service')];
    case 'revoked':
      return [t('Invitation to '), n(service, 'a service'), t(' revoked')];
    case 'expired':
      return [t('Invitation to '), n(service, 'a service'), t(' expired')];
    default:
      return [t(`Invitation ${what}: `), n(service, 'a service')];
  }
}

/** What the owner did to somebody's access. */
const GRANT: Partial<Record<string, string>> = {
  changed: 'You changed ',
  paused: 'You paused ',
  resumed: 'You resumed ',
  revoked: 'You ended ',
};

function grant(what: string, name: string, service: string): Piece[] {
  switch (what) {
    case 'given-back':
      return [n(name, 'An unknown person'), t(' gave up access to '), n(service, 'a service')];
    case 'expired':
      return [n(name, 'An unknown person'), t('’s access to '), n(service, 'a service'), t(' expired')];
    default:
      return [t(GRANT[what] ?? `${what} `), n(name, 'an unknown person'), t('’s access to '), n(service, 'a service')];
  }
}

/** Whether the line for an event contains every word of a search. */
export function mentions(deed: AuditEvent, query: string): boolean {
  const words = query.toLowerCase().split(/\s+/u).filter(Boolean);
  if (words.length === 0) return true;
  const { pieces, detail } = describeEvent(deed);
  const line = `${pieces.map((piece) => ('name' in piece ? piece.name : piece.text)).join('')} ${detail}`.toLowerCase();
  return words.every((word) => line.includes(word));
}

/** By day, in the order given. */
export function byDay(entries: readonly AuditEntry[], dayOf: (at: number) => string): { day: string; entries: AuditEntry[] }[] {
  const days: { day: string; entries: AuditEntry[] }[] = [];
  for (const entry of entries) {
    const day = dayOf(entry.at);
    const last = days.at(-1);
    if (last?.day === day) last.entries.push(entry);
    else days.push({ day, entries: [entry] });
  }
  return days;
}
