// A receipt as a line: who, what, and the numbers. Pure. Names come apart from words, so that they can be isolated.

import { bytes, lasted } from './format';
import type { IconName } from './components/icons';
import type { Code, AuditEvent, AuditEntry } from './types';

/** `name` is somebody's or something's own text, `text` is ours. */
export type Piece = { name: string } | { text: string };
export type Line = { icon: IconName; tone: 'plain' | 'good' | 'bad'; pieces: Piece[]; detail: string };

const n = (name: string | null | undefined, other: string): Piece => (name ? { name } : { text: other });
const t = (text: string): Piece => ({ text });

const REFUSED: Partial<Record<Code, string>> = {
  revoked: 'access was revoked',
  expired: 'access has ended',
  'paused-by-owner': 'paused',
  paused: 'paused',
  blocked: 'blocked',
  'not-trusted': 'not who they should be',
  'key-changed': 'their key has changed',
  'too-many': 'too many connections',
  'ticket-used': 'the link was used already',
  'bad-ticket': 'not an invitation',
  'service-down': 'the service did not answer',
  denied: 'you said no',
};

export function line(deed: AuditEvent): Line {
  switch (deed.deed) {
    case 'service':
      return {
        icon: deed.what === 'closed' ? 'close' : deed.what === 'paused' ? 'pause' : 'plus',
        tone: 'plain',
        pieces: [n(deed.service, 'A service'), t(` ${serviceWord(deed.what)}`)],
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
        pieces: [n(deed.name, 'Somebody'), t(' used '), n(deed.service, 'a service')],
        detail: `${lasted(deed.lasted_ms)}, ↓ ${bytes(deed.down_bytes)} ↑ ${bytes(deed.up_bytes)}${deed.ended ? `, ended early: ${deed.ended}` : ''}`,
      };
    case 'refused':
      return {
        icon: 'block',
        tone: 'bad',
        pieces: [n(deed.name, 'Somebody unknown'), t(' was kept out'), ...(deed.service ? [t(' of '), n(deed.service, '')] : [])],
        detail: REFUSED[deed.code] ?? deed.code,
      };
    case 'portal':
      return {
        icon: 'plug',
        tone: deed.what === 'revoked' ? 'bad' : 'plain',
        pieces: [n(deed.portal, 'A portal'), t(' of '), n(deed.owner, 'somebody'), t(` ${portalWord(deed.what)}`)],
        detail: '',
      };
    case 'contact':
      return {
        icon: deed.what === 'blocked' ? 'block' : deed.what === 'verified' ? 'verified' : 'people',
        tone: deed.what === 'key-changed' ? 'bad' : deed.what === 'verified' ? 'good' : 'plain',
        pieces: [deed.what === 'key-changed' ? t('The key of ') : t(''), n(deed.name, 'Somebody'), t(` ${contactWord(deed.what)}`)],
        detail: '',
      };
  }
}

function serviceWord(what: string): string {
  return { shared: 'is shared', changed: 'changed', paused: 'switched off', resumed: 'switched on', closed: 'is no longer shared' }[what] ?? what;
}

function portalWord(what: string): string {
  return { added: 'added', on: 'switched on', off: 'switched off', removed: 'removed', revoked: 'revoked by its owner' }[what] ?? what;
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
      return [n(name, 'Somebody'), t(' invited to '), n(service, 'a service')];
    case 'knocked':
      return [n(name, 'Somebody'), t(' asked to use '), n(service, 'a service')];
    case 'accepted':
      return [n(name, 'Somebody'), t(' joined '), n(service, 'a service')];
    case 'declined':
      return [n(name, 'Somebody'), t(' declined '), n(service, 'a service')];
    case 'revoked':
      return [t('Invitation to '), n(service, 'a service'), t(' taken back')];
    case 'expired':
      return [t('Invitation to '), n(service, 'a service'), t(' expired')];
    default:
      return [t(`Invitation ${what}: `), n(service, 'a service')];
  }
}

function grant(what: string, name: string, service: string): Piece[] {
  switch (what) {
    case 'given-back':
      return [n(name, 'Somebody'), t(' gave '), n(service, 'a service'), t(' back')];
    case 'expired':
      return [t('Access of '), n(name, 'somebody'), t(' to '), n(service, 'a service'), t(' ended')];
    default:
      return [t('Access of '), n(name, 'somebody'), t(' to '), n(service, 'a service'), t(` ${what}`)];
  }
}

/** By day, in the order given. */
export function byDay(receipts: readonly AuditEntry[], dayOf: (at: number) => string): { day: string; receipts: AuditEntry[] }[] {
  const days: { day: string; receipts: AuditEntry[] }[] = [];
  for (const receipt of receipts) {
    const day = dayOf(receipt.at);
    const last = days.at(-1);
    if (last?.day === day) last.receipts.push(receipt);
    else days.push({ day, receipts: [receipt] });
  }
  return days;
}
